"""What is typed about statistics: `heddle statistics show`, and `recount`."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from cyclopts import App, Parameter
from sqlalchemy import select

from api.commands.columns import print_table
from api.running import house_here
from domain.actors import SYSTEM
from domain.db import database_time
from domain.desk.tickets import Ticket
from domain.reporting import keeping
from domain.reporting.asking import Asked, Grouping
from domain.reporting.counting import Values, report
from domain.reporting.labels import PREVIOUS, TOTAL, label_of
from domain.reporting.measuring import Found
from domain.reporting.periods import Period
from domain.settings import WrongSetting

statistics = App(name="statistics")

SHOWN = {
    "opened": "opened",
    "handled": "handled",
    "solved": "solved",
    "reopened": "reopened",
    "backlog": "open",
    "first_reply_p50": "1st reply p50",
    "first_reply_p90": "p90",
    "next_reply_p50": "next p50",
    "resolution_p50": "solved p50",
    "handle_p50": "handle p50",
    "sla_percent": "kept",
}


@statistics.command
async def show(
    *,
    last: Annotated[str, Parameter(help="Days up to and with today, such as 7d.")] = "7d",
    by: Grouping = Grouping.DAY,
    zone: Annotated[str | None, Parameter(help="Otherwise that of the default policy's hours.")] = None,
) -> None:
    """Prints the figures of the last days, with those of as many days before."""
    days = last.removesuffix("d")
    if not days.isdecimal() or not 1 <= int(days) <= 366:
        raise WrongSetting(f"--last {last!r} should be like 7d, at most 366d.")
    if zone and zone not in available_timezones():
        raise WrongSetting(f"--zone {zone!r} is no time zone; one is Europe/Warsaw.")
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            theirs = ZoneInfo(zone) if zone else (await keeping.shop_hours(session)).zone
        async with house.db.reading() as connection:
            now = await database_time(connection)
            asked = Asked(SYSTEM, _last(int(days), now, theirs), by, now)
            found = await report(connection, asked, SHOWN)
    rows = [(label_of(asked, line, "en"), line.values) for line in found.rows]
    rows += [(TOTAL, found.total), (PREVIOUS, found.previous)]
    print_table([("", *SHOWN.values()), *((label, *_cells(values)) for label, values in rows)])


def _last(days: int, now: datetime, zone: ZoneInfo) -> Period:
    tomorrow = (now.astimezone(zone) + timedelta(days=1)).date()
    ends = [
        datetime(day.year, day.month, day.day, tzinfo=zone)
        for day in (tomorrow - timedelta(days=days), tomorrow)
    ]
    begin, end = (moment.astimezone(UTC) for moment in ends)
    return Period(begin, end, zone)


def _cells(values: Values) -> list[str]:
    return [_written(name, values[name]) for name in SHOWN]


def _written(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("percent"):
        return f"{value:.1f} %"
    return _length(int(value)) if name[-3:] in ("p50", "p90") else str(value)


def _length(seconds: int) -> str:
    """The two largest parts: 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    for size, large, small in ((1440, "d", "h"), (60, "h", "min")):
        if minutes >= size:
            whole, rest = divmod(minutes, size)
            rest = rest // 60 if small == "h" else rest
            return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"
    return f"{minutes} min"


@statistics.command
async def recount() -> None:
    """Measures every ticket anew from its history, in short steps, and says what was otherwise: nothing should be."""
    tickets = differing = 0
    async with house_here() as (house, _):
        async for measured, differences in keeping.recount(house.db):
            tickets, differing = tickets + measured, differing + len(differences)
            async with house.db.reading() as connection:
                for one in differences:
                    number = await connection.scalar(select(Ticket.number).where(Ticket.id == one.ticket_id))
                    print(f"#{number}: new {_kinds(one.come)}; gone {_kinds(one.gone)}")
    said = f"{differing} were otherwise, and are right now" if differing else "all was as it should be"
    print(f"{tickets} tickets measured: {said}.")


def _kinds(found: Iterable[Found]) -> str:
    return ", ".join(sorted(one.kind for one in found)) or "nothing"
