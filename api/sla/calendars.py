"""Hours: of a shop's calendar, and of somebody's shifts."""

import uuid
from datetime import date, datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json, one_of
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.sla import calendars, policies, recounts
from domain.sla.hours import DAYS, Hours
from domain.sla.nonsense import Nonsense


@strawberry.type(description="Wall times of the zone, such as `09:00` to `17:00`; a day ends at `24:00`.")
class Period:
    begin: str
    end: str


@strawberry.type
class DayHours:
    day: str = strawberry.field(description="`mon` to `sun`.")
    periods: list[Period]


@strawberry.type(description="A week of open hours in one zone, and what stays closed.")
class WeeklyHours:
    timezone: str
    weekly: list[DayHours] = strawberry.field(description="Days that open at all, from Monday.")
    closed: list[date] = strawberry.field(description="The shop's own closed days.")
    holidays: list[str] = strawberry.field(
        description="Whose public holidays it keeps, such as `PL` or `ES-CT`."
    )


@strawberry.type
class Calendar(Node):
    name: str
    timezone: str
    hours: WeeklyHours
    is_open: bool = strawberry.field(description="Now.")


@strawberry.input
class PeriodInput:
    begin: str
    end: str


@strawberry.input
class DayHoursInput:
    day: str
    periods: list[PeriodInput]


@strawberry.input
class HoursInput:
    timezone: str
    weekly: list[DayHoursInput]
    closed: list[date] = strawberry.field(default_factory=list)
    holidays: list[str] = strawberry.field(default_factory=list)


@strawberry.input(
    description="Without `id` a new one. Clocks of open tickets are reckoned anew in the background."
)
class CalendarSaveInput:
    id: strawberry.ID | None = None
    name: str
    hours: HoursInput
    client_mutation_id: strawberry.ID


@strawberry.input
class CalendarDeleteInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class CalendarPayload:
    calendar: Calendar | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


def read_hours(given: HoursInput) -> Hours:
    """A refusal says in one sentence what is wrong with them."""
    weekly: dict[str, list[list[str]]] = {}
    for one in given.weekly:
        weekly.setdefault(one.day, []).extend([period.begin, period.end] for period in one.periods)
    try:
        return Hours.from_json(
            {
                "zone": given.timezone,
                "weekly": weekly,
                "closed": [day.isoformat() for day in given.closed],
                "holidays": given.holidays,
            }
        )
    except Nonsense as nonsense:
        raise InvalidInput(nonsense.sentence, field=["hours"], **nonsense.values) from None


def hours_of(stored: Json) -> WeeklyHours:
    return WeeklyHours(
        timezone=stored["zone"],
        weekly=[
            DayHours(day=day, periods=[Period(begin=begin, end=end) for begin, end in stored["weekly"][day]])
            for day in DAYS
            if day in stored["weekly"]
        ],
        closed=[date.fromisoformat(day) for day in stored.get("closed", ())],
        holidays=stored.get("holidays", []),
    )


async def calendars_by_id(reading: Reading, ids: set[uuid.UUID]) -> dict[uuid.UUID, Calendar]:
    calendar = calendars.Calendar
    rows = await reading.connection.execute(
        select(calendar.__table__).where(one_of(calendar.id, ids), may_see(calendar, reading.actor))
    )
    return {row.id: _calendar(row, reading.at) for row in rows}


def _calendar(row: Any, at: datetime) -> Calendar:
    return plain(
        Calendar,
        {
            "id": public_id("Calendar", row.id),
            "name": row.name,
            "timezone": row.hours["zone"],
            "hours": hours_of(row.hours),
            "is_open": Hours.from_json(row.hours).is_open(at),
        },
    )


async def _calendars(info: Info) -> list[Calendar]:
    async with info.context.reading() as reading:
        rows = await reading.connection.execute(
            select(calendars.Calendar.__table__)
            .where(may_see(calendars.Calendar, reading.actor), calendars.Calendar.archived_at.is_(None))
            .order_by(calendars.Calendar.name)
            .limit(100)
        )
        return [_calendar(row, reading.at) for row in rows]


async def _calendar_save(info: Info, input: CalendarSaveInput) -> CalendarPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        saved = await calendars.save_calendar(
            session, row_id("Calendar", input.id) if input.id else None, input.name, read_hours(input.hours)
        )
        await recounts.recount(session, at=now)
        return {"calendar": str(saved.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        id = uuid.UUID(done["calendar"])
        return CalendarPayload(calendar=(await calendars_by_id(reading, {id})).get(id))


async def _calendar_delete(info: Info, input: CalendarDeleteInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        calendar = await access.one(session, calendars.Calendar, row_id("Calendar", input.id), to=actor)
        await policies.archive_calendar(session, calendar, at=now)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class CalendarQueries:
    calendars: list[Calendar] = strawberry.field(resolver=_calendars, description="By name; at most 100.")


@strawberry.type
class CalendarMutations:
    calendar_save: CalendarPayload = mutation(resolver=_calendar_save)
    calendar_delete: OkPayload = mutation(
        resolver=_calendar_delete,
        description="Refused as `IN_USE` while a policy or a channel goes by it; what was promised by it once is still told.",
    )
