"""Which mail addresses are the shop's own: nobody proves to be one of us by writing one into From."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Text, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import asked
from domain.agents.staff import Agent
from domain.customers.mailboxes import in_letters, without_plus
from domain.db import one_of
from domain.telling import tell
from domain.ways_in.channels import Channel, ChannelKind


async def mailboxes_among(session: AsyncSession, addresses: Collection[str]) -> frozenset[str]:
    """Those of a mailbox of ours, also with something behind a plus, as our reply addresses have it."""
    return await asked(session, _mailboxes, frozenset(addresses))


async def _mailboxes(
    session: AsyncSession, many: Sequence[frozenset[str]]
) -> Mapping[frozenset[str], frozenset[str]]:
    plain = {address: without_plus(address) for addresses in many for address in addresses}
    mailbox = func.lower(Channel.address, type_=Text)
    found = await tell(
        session,
        select(mailbox).where(
            Channel.kind == ChannelKind.EMAIL, one_of(mailbox, {*plain.keys(), *plain.values()})
        ),
    )
    ours = set(found.scalars())
    mailboxes = {address for address, bare in plain.items() if address in ours or bare in ours}
    return {addresses: addresses & mailboxes for addresses in many}


async def ours_among(session: AsyncSession, addresses: Collection[str]) -> frozenset[str]:
    """Those of mailboxes, and of everybody who works here or did."""
    agents = await asked(session, _agents, frozenset(addresses))
    return agents | await mailboxes_among(session, addresses)


async def _agents(
    session: AsyncSession, many: Sequence[frozenset[str]]
) -> Mapping[frozenset[str], frozenset[str]]:
    """Theirs are kept as somebody wrote them."""
    letters = {address: in_letters(address) for addresses in many for address in addresses}
    email = func.lower(Agent.email, type_=Text)
    found = await tell(session, select(email).where(one_of(email, {*letters.keys(), *letters.values()})))
    ours = set(found.scalars())
    agents = {address for address, written in letters.items() if address in ours or written in ours}
    return {addresses: addresses & agents for addresses in many}
