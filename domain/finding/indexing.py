"""Keeps the index equal to what is written, a moment later: it follows the history, and fills in what was there before.

One process at a time reads on or fills, holding the reader's row; so what an erasure took from under it is taken from the index
when the history tells that it is over, whatever was being read meanwhile.
"""

import asyncio
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, func, or_, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import following
from domain.customers.companies import Company
from domain.customers.contact_notes import ContactNote
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.customers.survivors import same_person
from domain.db import Base, Database, among, one_of
from domain.desk.messages import Direction, Item
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind, Reader
from domain.finding.entries import EntryKind, forget, keep
from domain.finding.lexemes import Kept, Mark
from domain.joining.named_numbers import NamedNumber
from domain.joining.numbers import NumberKind

READER = "finding"
RULES = 1
"""Another number makes all entries anew: when words are read otherwise than before."""
BATCH = 200
LONGEST_TEXT = 50_000

OF_ITEMS = {
    EventKind.MESSAGE_RECEIVED, EventKind.MESSAGE_QUEUED, EventKind.MESSAGE_EDITED,
    EventKind.MESSAGE_UNSENT, EventKind.CALL_CHANGED, EventKind.NOTE_ADDED, EventKind.TICKET_IMPORTED,
}  # fmt: skip
OF_TICKETS = {
    EventKind.TICKET_OPENED,
    EventKind.TICKET_IMPORTED,
    EventKind.MESSAGE_EDITED,
    EventKind.MESSAGE_UNSENT,
}
OF_CONTACTS = {
    EventKind.CONTACT_OPENED, EventKind.CONTACT_CHANGED, EventKind.CONTACT_MERGED, EventKind.IDENTITY_LINKED,
    EventKind.MOVE_UNDONE,
}  # fmt: skip

_item = Item.__table__.c


class Fill(Base):
    """How far what was there before has been taken into the index, the newest first. One row for each kind."""

    __tablename__ = "search_fill"

    kind: Mapped[EntryKind] = mapped_column(primary_key=True)
    rules: Mapped[int] = mapped_column(Integer)
    reached_id: Mapped[uuid.UUID | None]
    """The last that was taken."""
    done_at: Mapped[datetime | None]


async def begin(session: AsyncSession) -> None:
    """Reading on begins before filling, so that nothing falls between the two."""
    await following.begin(session, READER)
    for kind in EntryKind:
        row = insert(Fill).values(kind=kind, rules=RULES)
        anew = {"rules": RULES, "reached_id": None, "done_at": None}
        await session.execute(
            row.on_conflict_do_update(index_elements=["kind"], set_=anew, where=Fill.rules != RULES)
        )


async def run(db: Database) -> None:
    await following.turn(db, READER, step)


async def step(session: AsyncSession) -> bool:
    """Reads on, or fills when there is nothing to read; whether there may be more."""
    reader = await following.held(session, READER)
    if reader is None:
        return False
    read = await following.next_of(session, reader)
    if read:
        await take(session, read)
        return len(read) == following.BATCH
    return await fill(session)


async def catch_up(session: AsyncSession, event: Event) -> None:
    """For who cannot wait until its turn comes: nobody else writes into the index meanwhile."""
    await session.execute(select(Reader.name).where(Reader.name == READER).with_for_update())
    await take(session, [event])


async def take(session: AsyncSession, events: Sequence[Event]) -> None:
    """What these events changed, as it is now."""
    items = {event.item_id for event in events if event.kind in OF_ITEMS and event.item_id}
    tickets = {event.ticket_id for event in events if _is_called_anew(event) and event.ticket_id}
    contacts = {event.contact_id for event in events if event.kind in OF_CONTACTS and event.contact_id}
    firms = {uuid.UUID(event.data["company"]) for event in events if event.kind == EventKind.COMPANY_CHANGED}
    await index_items(session, items)
    await index_tickets(session, tickets)
    if contacts or firms:
        # After a merge or its undoing addresses are with the other one.
        became = select(Contact.canonical_id).where(
            one_of(Contact.id, contacts), Contact.canonical_id.is_not(None)
        )
        whose = (
            one_of(Contact.id, contacts), one_of(Contact.canonical_id, contacts), among(Contact.id, became)
        )  # fmt: skip
        found = select(Contact.id).where(or_(*whose, one_of(Contact.company_id, firms)))
        await index_contacts(session, (await session.scalars(found)).all())
    for event in events:
        if event.kind == EventKind.CONTACT_ERASED and event.contact_id:
            await forget_person(session, event.contact_id)


def _is_called_anew(event: Event) -> bool:
    return event.kind in OF_TICKETS or (event.kind == EventKind.TICKET_CHANGED and "subject" in event.data)


def entries_of(contact_id: uuid.UUID) -> Select[Any]:
    """The ids of all that a contact, or who became it, said or is."""
    return select(
        union_all(
            select(Contact.id).where(same_person(Contact.id, contact_id)),
            select(Ticket.id).where(same_person(Ticket.contact_id, contact_id)),
            select(_item.id).where(same_person(_item.contact_id, contact_id)),
        ).subquery().c.id
    )  # fmt: skip


async def forget_person(session: AsyncSession, contact_id: uuid.UUID) -> None:
    await forget(session, (await session.scalars(entries_of(contact_id))).all())


async def fill(session: AsyncSession) -> bool:
    """Some of what was there before; whether there may be more."""
    row = await session.scalar(select(Fill).where(Fill.done_at.is_(None)).order_by(Fill.kind).limit(1))
    if row is None:
        return False
    column, index = _FILLED[row.kind]
    older = column < row.reached_id if row.reached_id else column.is_not(None)
    ids = (await session.scalars(select(column).where(older).order_by(column.desc()).limit(BATCH))).all()
    if ids:
        await index(session, ids)
        row.reached_id = ids[-1]
    else:
        row.done_at = func.now()
    return True


async def index_items(session: AsyncSession, ids: Collection[uuid.UUID]) -> None:
    if not ids:
        return
    said = func.left(func.coalesce(_item.folded, _item.text), LONGEST_TEXT).label("said")
    rows = (
        await session.execute(
            select(
                _item.id, _item.at, _item.direction, _item.author, _item.automatic, _item.number, said
            ).where(one_of(_item.id, ids))
        )
    ).all()
    named = await _numbers(session, ids)
    await keep(session, EntryKind.ITEM, await _apart(_of_item, rows, named))


def _of_item(row: Any, numbers: Sequence[Any]) -> Kept:
    kept = Kept()
    if row.automatic and row.direction == Direction.OUT:
        return kept  # the same words on every ticket
    kept.text(row.said)
    kept.codes_of(row.said)
    if row.direction == Direction.IN:
        kept.text(row.author)
    kept.fragments(Mark.NUMBER, [one.value for one in numbers if one.kind != NumberKind.PHONE])
    kept.fragments(Mark.PHONE, [one.value for one in numbers if one.kind == NumberKind.PHONE])
    kept.fragments(Mark.PHONE, [row.number] if row.number else [])
    return kept


async def _numbers(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Any]]:
    found: dict[uuid.UUID, list[Any]] = {}
    rows = select(NamedNumber.item_id, NamedNumber.kind, NamedNumber.value)
    for row in await session.execute(rows.where(one_of(NamedNumber.item_id, ids))):
        found.setdefault(row.item_id, []).append(row)
    return found


async def index_tickets(session: AsyncSession, ids: Collection[uuid.UUID]) -> None:
    if not ids:
        return
    rows = await session.execute(
        select(Ticket.id, Ticket.created_at.label("at"), Ticket.number, Ticket.subject).where(
            one_of(Ticket.id, ids)
        )
    )
    await keep(session, EntryKind.TICKET, await _apart(_of_ticket, rows.all(), {}))


def _of_ticket(row: Any, _: Any) -> Kept:
    kept = Kept()
    kept.text(row.subject)
    kept.codes_of(row.subject)
    kept.text(str(row.number))
    return kept


async def index_contacts(session: AsyncSession, ids: Collection[uuid.UUID]) -> None:
    person = select(
        Contact.id,
        Contact.created_at.label("at"),
        Contact.name,
        Contact.city,
        Contact.erased_at,
        Company.name.label("firm"),
    )
    rows = (
        await session.execute(
            person.outerjoin(Company, Company.id == Contact.company_id).where(one_of(Contact.id, ids))
        )
    ).all()
    about: dict[uuid.UUID, list[Any]] = {}
    identities = select(Identity.contact_id, Identity.kind, Identity.value, Identity.name)
    for one in await session.execute(identities.where(one_of(Identity.contact_id, ids))):
        about.setdefault(one.contact_id, []).append(one)
    notes = select(ContactNote.contact_id, ContactNote.text).where(one_of(ContactNote.contact_id, ids))
    for note in await session.execute(notes.order_by(ContactNote.id)):
        about.setdefault(note.contact_id, []).append(note)
    await keep(session, EntryKind.CONTACT, await _apart(_of_contact, rows, about))


def _of_contact(row: Any, about: Sequence[Any]) -> Kept:
    kept = Kept()
    if row.erased_at:
        return kept
    for text in (row.name, row.firm or "", row.city):
        kept.text(text)
    for one in about:
        if hasattr(one, "text"):
            kept.text(one.text[:LONGEST_TEXT])
            continue
        kept.text(one.name)
        match one.kind:
            case IdentityKind.EMAIL:
                kept.text(one.value)
                kept.fragments(Mark.ADDRESS, [one.value])
            case IdentityKind.PHONE:
                kept.fragments(Mark.PHONE, [one.value])
            case IdentityKind.CUSTOMER:
                kept.fragments(Mark.NUMBER, [one.value])
    return kept


async def _apart(
    read: Callable[[Any, Sequence[Any]], Kept], rows: Sequence[Any], about: dict[uuid.UUID, list[Any]]
) -> list[tuple[uuid.UUID, datetime, str]]:
    """In a thread: words are many, and others want to be answered meanwhile."""

    def all_of() -> list[tuple[uuid.UUID, datetime, str]]:
        return [(row.id, row.at, read(row, about.get(row.id, ())).written()) for row in rows]

    return await asyncio.to_thread(all_of)


_FILLED: dict[EntryKind, tuple[Any, Any]] = {
    EntryKind.CONTACT: (Contact.id, index_contacts),
    EntryKind.ITEM: (_item.id, index_items),
    EntryKind.TICKET: (Ticket.id, index_tickets),
}
