"""From whom the shop wants nothing: a mail address, or a domain with all below it; a number, a visitor, a Messenger person.
What they send is kept, and not placed."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.channels import Channel, ChannelKind
from domain.contacts import Claim, IdentityKind, normalised
from domain.db import Base, new_id
from domain.errors import InvalidInput
from domain.languages import N_
from domain.mailboxes import mail_address, without_plus
from domain.ourselves import ours_among

DEEPEST = 10
"""Names of a domain that are looked up."""


class BlockedSender(Base):
    __tablename__ = "blocked_sender"
    __table_args__ = (UniqueConstraint("kind", "scope", "sender"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[IdentityKind] = mapped_column(default=IdentityKind.EMAIL, server_default="email")
    scope: Mapped[str] = mapped_column(default="", server_default="")
    """As that of an identity."""
    sender: Mapped[str]
    """As it is compared: an address or a domain, a number in E.164, the value of an identity."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime]
    created_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))


def names_of(address: str) -> list[str]:
    """Under which a sender may be blocked: `ada+x@mail.example.org` as that, as `ada@…`, and by each domain above."""
    domain = address.rpartition("@")[2]
    parts = domain.split(".")[-DEEPEST:]
    domains = [".".join(parts[place:]) for place in range(len(parts))]
    return list(dict.fromkeys([address, without_plus(address), *domains]))


async def blocked_as(session: AsyncSession, claim: Claim) -> str | None:
    """What of the list the sender is blocked by."""
    names = names_of(claim.value) if claim.kind == IdentityKind.EMAIL else [claim.value]
    return await session.scalar(
        select(BlockedSender.sender)
        .where(
            BlockedSender.kind == claim.kind,
            BlockedSender.scope == claim.scope,
            BlockedSender.sender.in_(names),
        )
        .order_by(func.length(BlockedSender.sender).desc())
        .limit(1)
    )


async def block(
    session: AsyncSession, written: str, *, reason: str = "", by: Actor, at: datetime
) -> BlockedSender:
    """The row; the first one, if it was blocked before."""
    sender = normalised_sender(written)
    if await _is_ours(session, sender):
        raise InvalidInput(N_("This is an address of the shop itself."), field=["sender"])
    await session.execute(
        insert(BlockedSender)
        .values(id=new_id(), sender=sender, reason=reason.strip(), created_at=at, created_by_id=by.agent_id)
        .on_conflict_do_nothing()
    )
    same = (
        BlockedSender.kind == IdentityKind.EMAIL,
        BlockedSender.scope == "",
        BlockedSender.sender == sender,
    )
    return (await session.scalars(select(BlockedSender).where(*same))).one()


async def block_all(session: AsyncSession, addresses: Iterable[str], *, by: Actor, at: datetime) -> None:
    """Who wrote spam; what is ours is left out."""
    wanted = set(addresses)
    for address in sorted(wanted - await ours_among(session, wanted)):
        await block(session, address, reason="spam", by=by, at=at)


def normalised_sender(written: str) -> str:
    written = written.strip().removeprefix("@")
    if "@" in written:
        return normalised(IdentityKind.EMAIL, written)
    anybody = mail_address(f"any@{written}")
    if anybody is None:
        raise InvalidInput(N_("This is neither an email address nor a domain."), field=["sender"])
    return anybody.rpartition("@")[2].strip(".")


async def _is_ours(session: AsyncSession, sender: str) -> bool:
    if "@" in sender:
        return bool(await ours_among(session, [sender]))
    mailbox = func.lower(Channel.address)
    below = mailbox.endswith(f"@{sender}", autoescape=True) | mailbox.endswith(f".{sender}", autoescape=True)
    return (
        await session.scalar(select(Channel.id).where(Channel.kind == ChannelKind.EMAIL, below).limit(1))
        is not None
    )
