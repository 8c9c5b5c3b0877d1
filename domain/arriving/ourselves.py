"""Which mail addresses are the shop's own: nobody proves to be one of us by writing one into From."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent
from domain.customers.mailboxes import without_plus
from domain.ways_in.channels import Channel, ChannelKind


async def mailboxes_among(session: AsyncSession, addresses: Collection[str]) -> frozenset[str]:
    """Those of a mailbox of ours, also with something behind a plus, as our reply addresses have it."""
    plain = {address: without_plus(address) for address in addresses}
    found = await session.scalars(
        select(func.lower(Channel.address)).where(
            Channel.kind == ChannelKind.EMAIL,
            func.lower(Channel.address).in_({*plain.keys(), *plain.values()}),
        )
    )
    ours = set(found)
    return frozenset(address for address, bare in plain.items() if address in ours or bare in ours)


async def ours_among(session: AsyncSession, addresses: Collection[str]) -> frozenset[str]:
    """Those of mailboxes, and of everybody who works here or did."""
    agents = await session.scalars(
        select(func.lower(Agent.email)).where(func.lower(Agent.email).in_(set(addresses)))
    )
    return frozenset(agents) & frozenset(addresses) | await mailboxes_among(session, addresses)
