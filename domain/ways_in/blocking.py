"""From whom the shop wants nothing: a mail address, or a domain with all below it; a number, a visitor, a Messenger person.
What they send is kept, and not placed."""

import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import asked
from domain.actors import Actor
from domain.arriving.ourselves import ours_among
from domain.customers.contacts import Claim, Identity, IdentityKind, normalised
from domain.customers.mailboxes import mail_address, without_plus
from domain.db import Base, new_id, one_of
from domain.errors import InvalidInput
from domain.languages import N_
from domain.telling import tell
from domain.ways_in.channels import Channel, ChannelKind

DEEPEST = 10
"""Names of a domain that are looked up."""

_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{4,}")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[ ()./-]+(?=[0-9])")


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
    return await asked(session, _blocked, claim)


async def _blocked(session: AsyncSession, claims: Sequence[Claim]) -> Mapping[Claim, str | None]:
    names = {claim: _names(claim) for claim in claims}
    listed = await tell(
        session,
        select(BlockedSender.kind, BlockedSender.scope, BlockedSender.sender)
        .where(one_of(BlockedSender.sender, {name for some in names.values() for name in some}))
        .order_by(func.length(BlockedSender.sender).desc()),
    )
    rows = listed.all()
    return {
        claim: next(
            (
                row.sender
                for row in rows
                if (row.kind, row.scope) == (claim.kind, claim.scope) and row.sender in names[claim]
            ),
            None,
        )
        for claim in claims
    }


def _names(claim: Claim) -> list[str]:
    return names_of(claim.value) if claim.kind == IdentityKind.EMAIL else [claim.value]


def has_in_it(piece: str) -> ColumnElement[bool]:
    """A piece of an address or a domain, or of a number, however that is written."""
    piece = piece.strip().lower()
    number = _BETWEEN_DIGITS.sub("", piece)
    return or_(*(BlockedSender.sender.contains(said, autoescape=True) for said in {piece, number}))


async def block(
    session: AsyncSession, written: str, *, reason: str = "", by: Actor, at: datetime
) -> BlockedSender:
    """An address, a domain, or a number, national ones as the shop's own lines read them. The row; the first one, if it was
    blocked before."""
    kind, sender = await _read(session, written)
    if kind == IdentityKind.EMAIL and "@" not in sender:
        is_ours = await _is_our_domain(session, sender)
    else:
        is_ours = bool(await _ours(session, kind, [sender]))
    if is_ours:
        raise InvalidInput(N_("This is an address of the shop itself."), field=["sender"])
    return await _kept(session, kind, "", sender, reason=reason, by=by, at=at)


async def block_identity(
    session: AsyncSession, identity: Identity, *, reason: str = "", by: Actor, at: datetime
) -> BlockedSender:
    """A visitor, a Messenger person, a caller, or whoever writes from an address."""
    if await _ours(session, identity.kind, [identity.value]):
        raise InvalidInput(N_("This is an address of the shop itself."), field=["identityId"])
    return await _kept(session, *identity.key, reason=reason, by=by, at=at)


async def block_all(
    session: AsyncSession, identities: Iterable[Identity], *, by: Actor, at: datetime
) -> None:
    """Who wrote spam; what is ours is left out."""
    for kind, scope, value in sorted({one.key for one in identities}):
        if not await _ours(session, kind, [value]):
            await _kept(session, kind, scope, value, reason="spam", by=by, at=at)


async def _kept(
    session: AsyncSession,
    kind: IdentityKind,
    scope: str,
    sender: str,
    *,
    reason: str,
    by: Actor,
    at: datetime,
) -> BlockedSender:
    made = {"id": new_id(), "reason": reason.strip(), "created_at": at, "created_by_id": by.agent_id}
    named = {"kind": kind, "scope": scope, "sender": sender}
    await session.execute(insert(BlockedSender).values(**made, **named).on_conflict_do_nothing())
    return (await session.scalars(select(BlockedSender).filter_by(**named))).one()


async def _read(session: AsyncSession, written: str) -> tuple[IdentityKind, str]:
    written = written.strip().removeprefix("@")
    if "@" in written:
        return IdentityKind.EMAIL, normalised(IdentityKind.EMAIL, written)
    if _NUMBER.fullmatch(written):
        region = await _region(session)
        return IdentityKind.PHONE, normalised(IdentityKind.PHONE, written, region=region)
    anybody = mail_address(f"any@{written}")
    if anybody is None:
        raise InvalidInput(
            N_("This is neither an email address nor a domain nor a phone number."), field=["sender"]
        )
    return IdentityKind.EMAIL, anybody.rpartition("@")[2].strip(".")


async def _region(session: AsyncSession) -> str | None:
    """Of the shop's oldest line that says one."""
    said = Channel.config["region"].astext
    oldest = select(said).where(said.is_not(None)).order_by(Channel.created_at).limit(1)
    region: str | None = await session.scalar(oldest)
    return region


async def _ours(session: AsyncSession, kind: IdentityKind, values: Collection[str]) -> Collection[str]:
    match kind:
        case IdentityKind.EMAIL:
            return await ours_among(session, values)
        case IdentityKind.PHONE:
            lines = select(Channel.address).where(
                Channel.kind.in_((ChannelKind.PHONE, ChannelKind.SMS)), Channel.address.in_(values)
            )
            return [line for line in await session.scalars(lines) if line]
        case _:
            return ()


async def _is_our_domain(session: AsyncSession, sender: str) -> bool:
    mailbox = func.lower(Channel.address)
    below = mailbox.endswith(f"@{sender}", autoescape=True) | mailbox.endswith(f".{sender}", autoescape=True)
    return (
        await session.scalar(select(Channel.id).where(Channel.kind == ChannelKind.EMAIL, below).limit(1))
        is not None
    )
