"""The live board of the phone: counts, calls, and what of them the change feed tells."""

import uuid
from collections.abc import Sequence
from typing import Any

import strawberry
from sqlalchemy import select

from api.agents.staff import Agent, agents_by_id
from api.calling.calls import Call, calls_of
from api.context import Info, Reading, plain
from api.desk.timeline import items_by_id
from api.selection import Selection, wanted
from domain.access import may_see
from domain.assigning import board
from domain.assigning.board import ON_THE_LINE
from domain.db import one_of
from domain.desk import history, messages
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.ids import row_id

MOST_CALLS = 100


@strawberry.type(
    description="How many of what you see; spam and what became part of another ticket are left out."
)
class Counters:
    breached: int = strawberry.field(description="Open tickets with a promise that is broken.")
    at_risk: int = strawberry.field(description="With one that is about to be.")
    unassigned: int
    open: int = strawberry.field(description="Tickets that are not solved.")
    complaints_open: int
    complaints_stalled: int
    tasks_due_today: int = strawberry.field(description="And those that were due before.")
    calls_waiting: int = strawberry.field(description="That ring now, and nobody has taken.")
    sla_today_percent: float | None = strawberry.field(
        description="Of today's promises that were kept or broken, the share that was kept; null while there are none. The day is the "
        "shop's, in the zone of the default policy."
    )


@strawberry.type(description="Somebody's presence, activity, shift or load is another.")
class AgentChanged:
    agent: Agent


@strawberry.type
class CallChanged:
    call: Call


@strawberry.type(description="Once in a batch, whatever was counted in it.")
class CountersChanged:
    counters: Counters


async def _counters(info: Info, team_id: strawberry.ID | None = None) -> Counters:
    team = row_id("Team", team_id, field="teamId") if team_id else None
    async with info.context.reading() as reading:
        return await _read_counters(reading, team)


async def _read_counters(reading: Reading, team_id: uuid.UUID | None = None) -> Counters:
    found = await board.counters(reading.connection, reading.actor, team_id, at=reading.at)
    return plain(Counters, dict(vars(found)))


async def _live_calls(info: Info) -> list[Call]:
    async with info.context.reading() as reading:
        item = messages.Item.__table__.c
        rows = await reading.connection.objects(
            history.Written,
            history.ITEMS.where(*ON_THE_LINE, may_see(messages.Item, reading.actor))
            .order_by(item.at.desc(), item.id)
            .limit(MOST_CALLS),
        )
        return list((await calls_of(reading, rows, wanted(info))).values())


PEOPLE = (EventKind.AGENT_ADDED, EventKind.AGENT_CHANGED, EventKind.AGENT_PRESENCE, EventKind.TICKET_ASSIGNED)
LOADS = (
    EventKind.TICKET_CHANGED,
    EventKind.TICKET_REOPENED,
    EventKind.TICKET_MERGED,
    EventKind.MESSAGE_RECEIVED,
    EventKind.MESSAGE_QUEUED,
    EventKind.SLA_BREACHED,
    EventKind.SLA_MET,
)
"""After which whoever has the ticket, or had it, has more to do or less."""


async def agents_touched(reading: Reading, read: Sequence[Any]) -> list[Agent]:
    """Those who have left are among them."""
    named = [
        event.data.get(name) for event in read if event.kind in PEOPLE for name in ("agent", "to", "before")
    ]
    ids = {uuid.UUID(id) for id in named if id}
    touched = {event.ticket_id for event in read if event.kind in LOADS}
    if touched:
        ids |= set(
            await reading.connection.scalars(
                select(Ticket.assignee_id).where(one_of(Ticket.id, touched), Ticket.assignee_id.is_not(None))
            )
        )
    return list((await agents_by_id(reading, ids)).values())


async def calls_changed(reading: Reading, read: Sequence[Any], selection: Selection) -> list[CallChanged]:
    ids = {event.item_id for event in read if event.kind == EventKind.CALL_CHANGED} - {None}
    calls = await items_by_id(reading, ids, selection) if ids else {}
    return [plain(CallChanged, {"call": call}) for call in calls.values()]


async def counters_changed(reading: Reading, read: Sequence[Any]) -> list[CountersChanged]:
    if not any(event.ticket_id or event.task_id for event in read):
        return []
    return [plain(CountersChanged, {"counters": await _read_counters(reading)})]


@strawberry.type
class BoardQueries:
    counters: Counters = strawberry.field(
        resolver=_counters, description="`teamId`: of that team's tickets alone."
    )
    live_calls: list[Call] = strawberry.field(
        resolver=_live_calls,
        description="Those that ring or are spoken in now, the newest first; at most 100.",
    )
