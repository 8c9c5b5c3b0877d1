"""A report: figures of each row, of all together, and of the period before; what stood at its end, and what customers thought."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Integer, Row, Select, case, distinct, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from domain.access import may_see
from domain.agents.staff import Agent, Team
from domain.chorus import Reads, side_by_side
from domain.db import one_of
from domain.reporting import satisfaction
from domain.reporting.asking import WHOSE, Asked, Grouping, Key, of
from domain.reporting.figures import COLUMNS, STANDING
from domain.ways_in.channels import Channel

STOOD = {figure.value: kind for figure, kind in STANDING.items()}
NAMES = (*COLUMNS, *STOOD, *satisfaction.NAMES)
Values = dict[str, Any]
"""By the names of figures (`NAMES`)."""
NAMED = {Grouping.AGENT: Agent, Grouping.CHANNEL: Channel, Grouping.TEAM: Team}


@dataclass
class Line:
    key: Key
    name: str | None = None
    """None: of nobody, of a day or an hour, or what a token may not read."""
    values: Values = field(default_factory=dict)


@dataclass
class Report:
    rows: list[Line]
    total: Values
    previous: Values


async def report(connection: Reads, asked: Asked, names: Collection[str]) -> Report:
    """`names`: of `NAMES`."""
    standing = [name for name in names if name in STOOD]
    wanted = [name for name in names if name in COLUMNS]
    rated = [name for name in names if name in satisfaction.NAMES]
    nothing: Values = {name: 0 if COLUMNS[name].counts else None for name in wanted} | dict.fromkeys(rated)
    lines: dict[Key, Line] = {}
    found = Report([], dict(nothing), dict(nothing))
    if asked.by == Grouping.DAY:
        lines = {number: Line(number) for number in range(len(asked.days))}
    elif asked.by == Grouping.HOUR:
        lines = {hour: Line(hour) for hour in range(24)}
    cells, given, stood = await side_by_side(
        connection,
        _read(connection, _cells(asked, wanted) if wanted else None),
        _read(connection, _named(asked, satisfaction.ratings(asked, rated)) if rated else None),
        _read(connection, _stood(asked, standing) if standing else None),
    )
    for told, rows in ((wanted, cells), (rated, given)):
        for row in rows:
            values = {name: _number(name, getattr(row, name)) for name in told}
            if row.whole:
                (found.previous if row.earlier else found.total).update(values)
            elif not row.earlier and asked.shown(row.key):
                line = lines.setdefault(row.key, Line(row.key))
                line.name, line.values = row.label, line.values | values
    if standing:
        nothing |= dict.fromkeys(standing, None if asked.by == Grouping.HOUR else 0)
        found.total.update(dict.fromkeys(standing, 0))
        found.previous.update(dict.fromkeys(standing, 0))
        for row in stood:
            _note(asked, found, lines, row)
    for line in lines.values():
        line.values = nothing | line.values
    found.rows = sorted(lines.values(), key=_place)
    return found


async def _read(connection: Reads, query: Select[Any] | None) -> Sequence[Row[Any]]:
    return () if query is None else (await connection.execute(query)).all()


def _number(name: str, value: Any) -> float | int | None:
    if value is None:
        return None
    return float(value) if name.endswith("percent") or name in satisfaction.SCORES else int(value)


def _place(line: Line) -> tuple[bool, str, int]:
    """By name, those of nobody last; days and hours as they come."""
    return line.key is None, (line.name or "").lower(), line.key if isinstance(line.key, int) else 0


def _cells(asked: Asked, names: Collection[str]) -> Select[Any]:
    kinds = {kind for name in names for kind in COLUMNS[name].kinds}
    begin, end = asked.period.begin, asked.period.end
    measured = (
        select(
            of.ticket_id,
            of.kind,
            of.kept,
            of.wall_seconds,
            of.business_seconds,
            (of.at < begin).label("earlier"),
            case((of.at >= begin, asked.key(of))).label("key"),
        )
        .where(one_of(of.kind, kinds), of.at >= asked.period.before(), of.at < end, *asked.seen())
        .cte("measured", nesting=True)
    )
    at = measured.c
    sets = func.grouping_sets(tuple_(at.earlier, at.key), tuple_(at.earlier))
    columns = (COLUMNS[name].of(at).label(name) for name in names)
    cells = select(at.earlier, at.key, (func.grouping(at.key) == 1).label("whole"), *columns).group_by(sets)
    return _named(asked, cells)


def _stood(asked: Asked, names: Collection[str]) -> Select[Any]:
    """Which tickets were open, or stood at a stage, at the end of a day, or of the period, and of the one before."""
    ends = [end for _, end in asked.days] if asked.by == Grouping.DAY else []
    moments = [min(moment, asked.now) for moment in (asked.period.begin, asked.period.end, *ends)]
    at = (
        func.unnest(literal(moments, ARRAY(TIMESTAMP(timezone=True))))
        .table_valued("moment", with_ordinality="number", name="at")
        .render_derived()
    )
    key = WHOSE.get(asked.by, literal(None, Integer)).label("key")
    stood = (
        select(at.c.number, of.kind, key, of.ticket_id)
        .join_from(at, of.id.table, (of.at <= at.c.moment) & (of.until.is_(None) | (of.until > at.c.moment)))
        .where(
            of.kind.in_([STOOD[name] for name in names]),
            of.until.is_(None) | (of.until > asked.period.begin),
            *asked.seen(),
        )
        .cte("stood", nesting=True)
    )
    one = stood.c
    sets = func.grouping_sets(tuple_(one.number, one.kind, one.key), tuple_(one.number, one.kind))
    cells = select(
        one.number,
        one.kind,
        one.key,
        (func.grouping(one.key) == 1).label("whole"),
        func.count(distinct(one.ticket_id)).label("tickets"),
    ).group_by(sets)
    return _named(asked, cells)


BEFORE, AFTER, FIRST_DAY = 1, 2, 3
"""Numbers of the moments."""
NAMED_BY = {kind: name for name, kind in STOOD.items()}


def _note(asked: Asked, found: Report, lines: dict[Key, Line], row: Row[Any]) -> None:
    name = NAMED_BY[row.kind]
    if row.whole and row.number == BEFORE:
        found.previous[name] = row.tickets
    elif row.whole and row.number == AFTER:
        found.total[name] = row.tickets
    elif row.whole:
        lines[row.number - FIRST_DAY].values[name] = row.tickets
    elif asked.by in WHOSE and row.number == AFTER and asked.shown(row.key):
        line = lines.setdefault(row.key, Line(row.key, row.label))
        line.values[name] = row.tickets


def _named(asked: Asked, cells: Select[Any]) -> Select[Any]:
    found = cells.subquery("cells")
    if asked.by not in NAMED:
        return select(found, literal(None).label("label"))
    named: Any = NAMED[asked.by]
    of_the_row = (named.id == found.c.key) & may_see(named, asked.reader)
    return select(found, named.name.label("label")).outerjoin(named, of_the_row)
