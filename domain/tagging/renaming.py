"""A tag becomes another one, or goes, on all tickets that have it: in the background and in short steps, one tag at a time.

A ticket's tags and the word that they changed are one transaction, with the lease: whoever dies in between has done neither, and who
comes after goes on with what has the tag still. It is over when nobody has it and nobody is about to put it on.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import one_at_a_time
from domain.actors import SYSTEM, Actor
from domain.agents.sign_in import actor_by_id
from domain.complaints.laws import LAWS, tags_of
from domain.db import Database, Json, database_time, new_id, one_of, ring
from domain.desk import tags
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput, NotFound
from domain.events import EventKind, record
from domain.finding.conditions import COMPLAINT
from domain.hands import work
from domain.joining.moves import Step
from domain.languages import N_
from domain.sla import reckoning
from domain.tagging.changes import TAG_CHANGES, TagChange
from domain.tagging.refusals import TagFixed, TagInUse, TagsChanging
from domain.tagging.rules import Kind, Renaming, rules_of
from domain.tagging.tags import Tag, nobody_puts
from domain.work import Lease, passes
from domain.working.edits import EditedTicket

log = structlog.get_logger()

STEP = 25
"""Tickets in one transaction: the feed shows nothing that comes after while one is open."""
IN_A_ROW = 500
"""Tickets until the row is given back."""
KEPT_FOR = timedelta(days=1)
FIXED = {COMPLAINT, *(tag for law in LAWS for tag in tags_of(law))}
"""By these a ticket is known to be a complaint."""


async def rename(session: AsyncSession, tag: str, into: str, *, by: Actor, at: datetime) -> TagChange:
    """Into one that there is already: from then on it is that one."""
    (new,) = tags.kept([into])
    if not new or len(new) > tags.LONGEST:
        raise InvalidInput(N_("A tag has 1 to {most} characters."), field=["into"], most=tags.LONGEST)
    if new == _only(tag):
        raise InvalidInput(N_("That is its name already."), field=["into"])
    if new in FIXED:
        raise TagFixed(field=["into"], tag=new)
    return await _begin(session, tag, new, by=by, at=at)


async def remove(session: AsyncSession, tag: str, *, by: Actor, at: datetime) -> TagChange:
    return await _begin(session, tag, None, by=by, at=at)


async def _begin(session: AsyncSession, tag: str, into: str | None, *, by: Actor, at: datetime) -> TagChange:
    """Asked for again while it is under way, it is that one."""
    old = _only(tag)
    if old in FIXED:
        raise TagFixed(field=["tag"], tag=old)
    await one_at_a_time(session, "tag change")
    running = select(TagChange).where(TagChange.finished_at.is_(None), TagChange.failed_at.is_(None))
    if other := await session.scalar(running):
        if (other.tag, other.into) == (old, into):
            return other
        raise TagsChanging(field=["tag"], tag=other.tag)
    if not await session.scalar(select(Tag.id).where(Tag.name == old).limit(1)):
        raise NotFound(field=["tag"])
    change = TagChange(id=new_id(), tag=old, into=into, by_id=by.agent_id, at=at, done=0, due_at=func.now())
    await _rename_in_rules(session, change, under_way=True)
    session.add(change)
    ring(session, TAG_CHANGES.topic)
    await session.flush()
    return change


def _only(tag: str) -> str:
    (kept,) = tags.kept([tag])
    return kept


async def _rename_in_rules(session: AsyncSession, change: TagChange, *, under_way: bool) -> None:
    naming = [rule for rule in await rules_of(session) if change.tag in rule.tags]
    if change.into:
        for rule in naming:
            rule.rename(Renaming(change.tag, change.into, under_way))
        return
    for kind in Kind:
        if using := [rule.name for rule in naming if rule.shared and rule.kind == kind]:
            raise TagInUse(kind.value, using)


async def run(db: Database) -> None:
    async def do(change: TagChange, lease: Lease[TagChange]) -> None:
        await go_on(db, change, lease)

    await work(db, TAG_CHANGES, do)


async def go_on(db: Database, change: TagChange, lease: Lease[TagChange]) -> None:
    async with db.transaction() as session:
        tagged = Ticket.tags.has_key(change.tag)
        if change.total is None:
            total = await session.scalar(select(func.count()).select_from(Ticket).where(tagged))
            change = await lease.hold(session, total=total)
        ids = (
            await session.scalars(select(Ticket.id).where(tagged).order_by(Ticket.id).limit(IN_A_ROW))
        ).all()
    for place in range(0, len(ids), STEP):
        async with db.transaction() as session:
            changed = await _each(session, change, ids[place : place + STEP])
            change = await lease.hold(session, done=change.done + changed)
    async with db.transaction() as session:
        if not ids and await _is_over(session, change):
            await lease.settle(session, finished_at=await database_time(session), last_error=None)
            log.info("tag_changed", tickets=change.done, removed=change.into is None)
        else:
            await lease.go_on(session)


async def _each(session: AsyncSession, change: TagChange, ids: Sequence[uuid.UUID]) -> int:
    by = (await actor_by_id(session, change.by_id) if change.by_id else None) or SYSTEM
    now = await database_time(session)
    held = await session.scalars(
        select(Ticket)
        .where(one_of(Ticket.id, ids), Ticket.tags.has_key(change.tag))
        .order_by(Ticket.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    tickets = held.all()
    for ticket in tickets:
        ticket.tags = change.of(ticket.tags)
        if not ticket.merged_into_id:
            _tell(session, ticket, by=by, at=now)
    await _can_be_taken_back(session, change, ids)
    await session.flush()
    for ticket in tickets:
        if ticket.is_live() and not ticket.merged_into_id:
            await _reckon(session, ticket, by=by, at=now)
    return len(tickets)


def _tell(session: AsyncSession, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """It is no news of the ticket: in lists by when something happened, an old one stays where it is."""
    data: Json = {"tags": len(ticket.tags), "all_tickets": True}
    kind = EventKind.TICKET_CHANGED
    record(session, kind, by=by, at=at, ticket_id=ticket.id, contact_id=ticket.contact_id, data=data)


async def _can_be_taken_back(session: AsyncSession, change: TagChange, ids: Sequence[uuid.UUID]) -> None:
    """Who takes back a merge, or what was changed by hand, finds the tag under its name of today."""
    steps = select(Step).where(one_of(Step.row_id, ids), Step.of == "ticket", Step.field == "tags")
    for step in await session.scalars(steps):
        step.before, step.after = change.of(step.before), change.of(step.after)
    await _in_edits(session, change, one_of(EditedTicket.ticket_id, ids))


async def _in_edits(session: AsyncSession, change: TagChange, *of: ColumnElement[bool]) -> None:
    named = EditedTicket.changed["tags"].contains([[change.tag]])
    for row in await session.scalars(select(EditedTicket).where(named, *of)):
        row.changed = row.changed | {"tags": [change.of(names) for names in row.changed["tags"]]}


async def _reckon(session: AsyncSession, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Who joins a tag that policies know is promised what they say."""
    try:
        async with session.begin_nested():
            await reckoning.reckon(session, ticket, by=by, at=at)
    except Exception as failure:
        if isinstance(failure, OSError) or passes(failure):
            raise
        log.error("ticket_not_reckoned", ticket=str(ticket.id), exc_info=failure)


async def _is_over(session: AsyncSession, change: TagChange) -> bool:
    await nobody_puts(session, change.tag)
    if await session.scalar(select(Ticket.id).where(Ticket.tags.has_key(change.tag)).limit(1)):
        return False
    await _in_edits(session, change)  # of tickets from which it was taken off before
    if change.into:
        await _rename_in_rules(session, change, under_way=False)
    await session.execute(delete(Tag).where(Tag.name == change.tag))
    return True


async def forget_old(session: AsyncSession, *, at: datetime) -> None:
    await session.execute(delete(TagChange).where(TagChange.at < at - KEPT_FOR, TagChange.due_at.is_(None)))
