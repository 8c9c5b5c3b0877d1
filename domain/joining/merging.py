"""Contacts become one contact, tickets one ticket. Pointers move, rows stay.

Each is one move in the journal (`domain/joining/moves.py`), and can be undone.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access
from domain.actors import Actor
from domain.alerting.alerts import UNRESOLVED, Alert
from domain.arriving.opening import join, open_ticket
from domain.complaints import settling
from domain.complaints.complaints import Complaint
from domain.customers.contacts import Contact, Identity
from domain.db import Base, Json, one_of
from domain.desk.messages import Item, ItemKind
from domain.desk.survivors import live_tickets
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import OURS, Ticket, TicketStatus
from domain.errors import BeingErased, InvalidInput, IsSpam, NotYours
from domain.events import EventKind, record
from domain.joining.moves import Journal, Move, MoveKind, hold, reread
from domain.joining.reasons import JoinCode
from domain.joining.suggestions import Suggestion
from domain.languages import N_
from domain.privacy import retention
from domain.privacy.erasure import is_under_way
from domain.sla import reckoning

OF_CONTACTS: tuple[type[Base], ...] = (Identity, Ticket, Thread, Task)
"""What follows a contact; an item follows its thread or its ticket, and notes are read with all that a contact was."""
FIELDS = ("name", "locale", "timezone", "city")
"""Of a contact, between which one may choose: what the survivor lacks, it takes."""


async def merge_contacts(
    session: AsyncSession,
    primary: Contact,
    others: Sequence[Contact],
    *,
    by: Actor,
    at: datetime,
    chosen: Mapping[str, Any] | None = None,
) -> Move:
    """`chosen`: what the survivor is to have, by field, where they differ."""
    await hold(session)
    others = list(dict.fromkeys(others))  # several may have become one before
    for contact in (primary, *others):
        await session.refresh(contact, with_for_update={"key_share": True})
        await sees_all_of(session, contact, by, field="otherIds")
    if primary.id in [other.id for other in others]:
        raise InvalidInput(N_("A contact cannot become itself."), field=["otherIds"])
    if await is_under_way(session, [contact.id for contact in (primary, *others)]):
        raise BeingErased(field=["otherIds"])
    journal = await Journal.begin(session, MoveKind.CONTACT_MERGE, primary.id, by=by, at=at)
    for other in others:
        await become(journal, other, primary)
    journal.set(primary, **(chosen or {}))
    await session.flush()
    for ticket in await live_tickets(session, primary.id):  # a policy may ask what the customer speaks
        await reckoning.promise_anew(session, ticket, by=by, at=at)
    return journal.move


async def become(journal: Journal, contact: Contact, survivor: Contact) -> None:
    for model in OF_CONTACTS:
        await journal.all(model, model.contact_id == contact.id, contact_id=survivor.id)  # type: ignore[attr-defined]
    await journal.all(Contact, Contact.canonical_id == contact.id, canonical_id=survivor.id)
    journal.set(contact, always=True, canonical_id=survivor.id)
    for field in (*FIELDS, "company_id"):
        if not getattr(survivor, field):
            journal.set(survivor, **{field: getattr(contact, field)})
    journal.set(
        survivor,
        is_vip=survivor.is_vip or contact.is_vip,
        tags=survivor.tags + [tag for tag in contact.tags if tag not in survivor.tags],
        fields=contact.fields | survivor.fields,
    )
    await settle(journal.session, contact_ids=[survivor.id])
    record(
        journal.session,
        EventKind.CONTACT_MERGED,
        by=journal.by,
        at=journal.at,
        contact_id=survivor.id,
        data={"merged": str(contact.id), "move": str(journal.move.id)},
    )


async def merge_tickets(
    session: AsyncSession, primary: Ticket, others: Sequence[Ticket], *, by: Actor, at: datetime
) -> Move:
    await hold(session)
    others = list(dict.fromkeys(others))  # several may have become part of one before
    if primary.id in [other.id for other in others]:
        raise InvalidInput(N_("A ticket cannot become part of itself."), field=["otherIds"])
    if primary.spam_at and not all(ticket.spam_at for ticket in others):
        raise IsSpam(field=["primaryId"])  # who waits in another would be out of sight
    journal = await Journal.begin(session, MoveKind.TICKET_MERGE, primary.contact_id, by=by, at=at)
    for other in others:
        threads = await session.scalars(select(Thread).where(Thread.ticket_id == other.id))
        for thread in threads.all():
            await move_thread(journal, thread, primary, JoinCode.MOVED_BY_AGENT, always=False)
        await dissolve(journal, other, primary)
    for ticket in (primary, *others):
        await reckoning.reckon(session, ticket, by=by, at=at)
    return journal.move


async def dissolve(journal: Journal, ticket: Ticket, into: Ticket) -> None:
    """The ticket's matter is `into`'s now: notes, tasks, tags and promises move along, and its number leads there."""
    journal.move.ticket_id = into.id
    await journal.all(Thread, Thread.ticket_id == ticket.id, ticket_id=into.id)
    await journal.all(Item, Item.ticket_id == ticket.id, Item.thread_id.is_(None), ticket_id=into.id)
    while await journal.all(Task, Task.ticket_id == ticket.id, ticket_id=into.id):
        pass  # while it waited for one, the next of its series may have been made
    await journal.all(Complaint, Complaint.ticket_id == ticket.id, ticket_id=into.id)
    about_calls = (Alert.ticket_id == ticket.id, Alert.clock_id.is_(None), Alert.state.in_(UNRESOLVED))
    await journal.all(Alert, *about_calls, ticket_id=into.id)
    await journal.all(Ticket, Ticket.merged_into_id == ticket.id, merged_into_id=into.id)
    journal.set(
        into,
        tags=into.tags + [tag for tag in ticket.tags if tag not in into.tags],
        priority=min(into.priority, ticket.priority) if ticket.is_live() else into.priority,
        policy_id=into.policy_id or ticket.policy_id,
        assignee_id=into.assignee_id or ticket.assignee_id,
        fields=ticket.fields | into.fields,
    )
    status: Json = {}
    if ticket.status in OURS and into.status not in OURS:
        status = {"status": [into.status, TicketStatus.OPEN]}
        journal.set(into, status=TicketStatus.OPEN, solved_at=None, snoozed_until=None)
    elif ticket.is_live() and not into.is_live():
        status = {"status": [into.status, ticket.status]}
        journal.set(into, status=ticket.status, solved_at=None, snoozed_until=ticket.snoozed_until)
    elif ticket.snoozed_until and into.status == TicketStatus.PENDING:
        wakes_at = min(into.snoozed_until or ticket.snoozed_until, ticket.snoozed_until)
        journal.set(into, snoozed_until=wakes_at)
    journal.set(ticket, always=True, merged_into_id=into.id)
    journal.set(ticket, status=TicketStatus.CLOSED, solved_at=journal.at, snoozed_until=None)
    ticket.updated_at = into.updated_at = journal.at
    await settle(journal.session, ticket_ids=[into.id])
    await settling.settle(journal.session, [ticket.id, into.id], by=journal.by, at=journal.at)
    await journal.all(Task, *settling.double_work(into.id), done_at=journal.at, next_at=None)
    pair = (ticket.id, into.id)
    await journal.session.execute(
        update(Suggestion)
        .where(Suggestion.ticket_id.in_(pair), Suggestion.other_id.in_(pair), Suggestion.decided_at.is_(None))
        .values(decided_at=journal.at, decided_by_id=journal.by.agent_id, accepted=True)
    )
    record(
        journal.session,
        EventKind.TICKET_MERGED,
        by=journal.by,
        at=journal.at,
        ticket_id=into.id,
        contact_id=into.contact_id,
        data={"merged": str(ticket.id), "move": str(journal.move.id), **status},
    )


async def new_ticket(journal: Journal, source: Ticket, contact: Contact, *, subject: str) -> Ticket:
    """For what leaves `source`; when the move is undone and nothing is left in it, its number leads there."""
    ticket = open_ticket(
        journal.session,
        contact,
        subject=subject or source.subject,
        by=journal.by,
        at=journal.at,
        team_id=source.team_id,
        priority=source.priority,
    )
    ticket.split_from_id, ticket.split_by_id = source.id, journal.move.id
    ticket.assignee_id = source.assignee_id
    await journal.session.flush()
    return ticket


async def move_thread(
    journal: Journal,
    thread: Thread,
    to: Ticket,
    code: JoinCode,
    *,
    identity: Identity | None = None,
    always: bool = True,
) -> None:
    """`always`: somebody's word about this very thread. What is in it follows (`settle`)."""
    journal.move.ticket_id = to.id
    was = {name: getattr(thread, name) for name in JOINED}
    source = thread.ticket_id
    journal.set(thread, always=always, ticket_id=to.id)
    join(thread, code, identity=identity, by=journal.by, at=journal.at, source=source)
    thread.move_id = journal.move.id
    for name, before in was.items():
        journal.note(thread, name, before)


JOINED = ("joined_code", "joined_at", "joined_by_id", "joined_evidence", "move_id")


async def settle(
    session: AsyncSession, *, ticket_ids: Collection[uuid.UUID] = (), contact_ids: Collection[uuid.UUID] = ()
) -> None:
    """Items stand where their threads do, what missed calls and complaints have left to do stands where they do, and items without
    a thread are of their ticket's contact."""
    await session.flush()
    await retention.look_again(session, ticket_ids)
    concerned = one_of(Thread.ticket_id, ticket_ids) | one_of(Thread.contact_id, contact_ids)
    await session.execute(
        update(Item)
        .where(
            Item.thread_id == Thread.id,
            concerned,
            (Item.ticket_id != Thread.ticket_id) | (Item.contact_id != Thread.contact_id),
        )
        .values(ticket_id=Thread.ticket_id, contact_id=Thread.contact_id)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(Item)
        .where(
            Item.thread_id.is_(None),
            Item.ticket_id == Ticket.id,
            one_of(Ticket.id, ticket_ids) | one_of(Ticket.contact_id, contact_ids),
            Item.contact_id != Ticket.contact_id,
        )
        .values(contact_id=Ticket.contact_id)
        .execution_options(synchronize_session=False)
    )
    await _settle_work(session, ticket_ids)
    await reread(session)


async def _settle_work(session: AsyncSession, ticket_ids: Collection[uuid.UUID]) -> None:
    """What a missed call or a complaint has left to do stands where it does, also where it came since the move that is undone."""
    calls = (one_of(Item.ticket_id, ticket_ids), Item.kind == ItemKind.CALL)
    complaints = one_of(Complaint.ticket_id, ticket_ids)
    for alerts in (
        update(Alert)
        .where(Alert.about_id == Item.id, Alert.ticket_id != Item.ticket_id, *calls)
        .values(ticket_id=Item.ticket_id),
        update(Alert)
        .where(Alert.about_id == Complaint.id, Alert.ticket_id != Complaint.ticket_id, complaints)
        .values(ticket_id=Complaint.ticket_id),
    ):
        unresolved = alerts.where(Alert.state.in_(UNRESOLVED))
        await session.execute(unresolved, execution_options={"synchronize_session": False})
    for tasks in (
        update(Task)
        .where(Task.last_call_id == Item.id, Task.ticket_id != Item.ticket_id, *calls)
        .values(ticket_id=Item.ticket_id, contact_id=Item.contact_id),
        update(Task)
        .where(Task.complaint_id == Complaint.id, Task.ticket_id != Complaint.ticket_id, complaints)
        .where(Ticket.id == Complaint.ticket_id)
        .values(ticket_id=Ticket.id, contact_id=Ticket.contact_id),
    ):
        to_do = tasks.where(Task.done_at.is_(None))
        await session.execute(to_do, execution_options={"synchronize_session": False})


async def sees_all_of(session: AsyncSession, contact: Contact, by: Actor, *, field: str) -> None:
    """Whoever merges gets at both histories: the word is theirs only if they see all of both."""
    unseen = select(Ticket.id).where(Ticket.contact_id == contact.id, access.may_not_see(Ticket, by))
    if await session.scalar(unseen.limit(1)) is not None:
        raise NotYours(field=[field])
