"""Third people of a mail conversation: whom its mails named, or who wrote to its reply address. Noted, until an agent accepts them.

Who is accepted speaks for the customer's side: their mail joins the conversation under their own name, reopens the ticket,
and waits for an answer like a word of the customer's. It proves nothing about them.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.elements import SQLCoreOperations

from domain.abreast import asked
from domain.actors import Actor
from domain.arriving.inbound import InboundMessage
from domain.arriving.ourselves import ours_among
from domain.customers.contacts import Identity, IdentityKind
from domain.customers.mailboxes import mail_address
from domain.db import Base, new_id, one_of
from domain.desk.survivors import held_with
from domain.desk.threads import Thread
from domain.errors import InvalidInput, NotFound
from domain.events import EventKind, record
from domain.languages import N_

MOST = 20
"""Of a conversation: a mail may name thousands."""


class Participant(Base):
    __tablename__ = "participant"
    __table_args__ = (UniqueConstraint("thread_id", "address"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    thread_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("thread.id"))
    address: Mapped[str]
    """As addresses are compared."""
    name: Mapped[str] = mapped_column(default="", server_default="")
    first_seen_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))


def is_accepted(
    thread_id: SQLCoreOperations[Any] | uuid.UUID, address: SQLCoreOperations[str] | str
) -> ColumnElement[bool]:
    """A condition: an agent has said that who writes from there takes part in the conversation."""
    return exists().where(
        Participant.thread_id == thread_id,
        Participant.address == address,
        Participant.accepted_at.is_not(None),
    )


async def note(session: AsyncSession, thread: Thread, said: InboundMessage, *, at: datetime) -> None:
    """Whom the mail names, and who wrote it, as far as it is neither the customer nor one of us."""
    sender = said.claims[0]
    named = {sender.value: said.sender_name} if sender.kind == IdentityKind.EMAIL else {}
    for one in (*said.to, *said.cc):
        if (address := mail_address(one.address)) is not None:
            named.setdefault(address, one.name)
        if len(named) > 2 * MOST:
            break
    if not named:
        return
    ours = await ours_among(session, named)
    customer, noted = await asked(session, _parties, thread.id)
    new = [address for address in named if address != customer and address not in ours | noted]
    rows = [
        {
            "id": new_id(), "thread_id": thread.id, "address": address, "name": named[address],
            "first_seen_at": at,
        }
        for address in new[: max(0, MOST - len(noted))]
    ]  # fmt: skip
    if rows:
        await session.execute(insert(Participant).values(rows).on_conflict_do_nothing())


async def _parties(
    session: AsyncSession, thread_ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, tuple[str | None, set[str]]]:
    """Of conversations, the customer's address and those that were noted."""
    rows = await session.execute(
        select(Thread.id, Identity.value, Participant.address)
        .outerjoin(Identity, Identity.id == Thread.identity_id)
        .outerjoin(Participant, Participant.thread_id == Thread.id)
        .where(one_of(Thread.id, thread_ids))
    )
    parties: dict[uuid.UUID, tuple[str | None, set[str]]] = {}
    for id, customer, address in rows:
        noted = parties.setdefault(id, (customer, set()))[1]
        noted |= {address} if address else set()
    return parties


async def accept(
    session: AsyncSession, thread: Thread, written: str, *, name: str = "", by: Actor, at: datetime
) -> Participant:
    """An agent's word that this person takes part: one who was noted, or anybody else."""
    address = mail_address(written)
    if address is None:
        raise InvalidInput(N_("This is not an email address."), field=["address"])
    if await ours_among(session, [address]):
        raise InvalidInput(N_("This is an address of the shop itself."), field=["address"])
    await held_with(session, thread)
    accepted = select(func.count()).where(
        Participant.thread_id == thread.id, Participant.accepted_at.is_not(None)
    )
    if (await session.scalar(accepted) or 0) >= MOST:
        raise InvalidInput(
            N_("A conversation has at most {most} participants."), field=["address"], most=MOST
        )
    await session.execute(
        insert(Participant)
        .values(id=new_id(), thread_id=thread.id, address=address, name="", first_seen_at=at)
        .on_conflict_do_nothing()
    )
    found = await session.scalars(
        select(Participant).where(Participant.thread_id == thread.id, Participant.address == address)
    )
    participant = found.one()
    participant.name = name or participant.name
    if participant.accepted_at is None:
        participant.accepted_at, participant.accepted_by_id = at, by.agent_id
        _tell(session, thread, participant, accepted=True, by=by, at=at)
    return participant


async def remove(session: AsyncSession, participant: Participant, *, by: Actor, at: datetime) -> Thread:
    """They take part no more; the conversation."""
    thread = await session.get_one(Thread, participant.thread_id)
    await held_with(session, thread)
    if await session.get(Participant, participant.id, populate_existing=True) is None:
        raise NotFound(field=["id"])
    await session.delete(participant)
    if participant.accepted_at:
        _tell(session, thread, participant, accepted=False, by=by, at=at)
    return thread


def _tell(
    session: AsyncSession,
    thread: Thread,
    participant: Participant,
    *,
    accepted: bool,
    by: Actor,
    at: datetime,
) -> None:
    record(
        session, EventKind.TICKET_CHANGED, by=by, at=at, ticket_id=thread.ticket_id, contact_id=thread.contact_id,
        thread_id=thread.id, data={"participant": str(participant.id), "accepted": accepted},
    )  # fmt: skip


async def copy(session: AsyncSession, thread: Thread, to: Thread) -> None:
    """For the later part of a conversation, which becomes one of its own."""
    columns = (
        Participant.address, Participant.name, Participant.first_seen_at, Participant.accepted_at,
        Participant.accepted_by_id,
    )  # fmt: skip
    for row in (await session.execute(select(*columns).where(Participant.thread_id == thread.id))).all():
        session.add(Participant(id=new_id(), thread_id=to.id, **row._mapping))
