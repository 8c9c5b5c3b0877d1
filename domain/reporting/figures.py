"""The figures of a report, each as what it is counted or timed from. What they mean: `docs/statistics.md`.

A figure of tickets counts each ticket once, however often it was so: an agent's two answers in one ticket are one ticket that they handled.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Numeric, case, cast, distinct, func

from domain.reporting.measurements import PROMISES, Measured

Columns = Any
"""Of the measurements: `kind`, `kept`, `ticket_id`, `wall_seconds`, `business_seconds`."""


class Figure(StrEnum):
    OPENED = "opened"
    HANDLED = "handled"
    SOLVED = "solved"
    ONE_TOUCH = "one_touch"
    REOPENED = "reopened"
    BACKLOG = "backlog"
    MESSAGES_IN = "messages_in"
    MESSAGES_OUT = "messages_out"
    CALLS_IN = "calls_in"
    CALLS_OUT = "calls_out"
    CALLS_MISSED = "calls_missed"
    FIRST_REPLY = "first_reply"
    NEXT_REPLY = "next_reply"
    RESOLUTION = "resolution"
    HANDLE = "handle"
    PROMISES = "promises"
    PROMISES_BROKEN = "promises_broken"
    FIRST_REPLY_BROKEN = "first_reply_broken"
    NEXT_REPLY_BROKEN = "next_reply_broken"
    RESOLUTION_BROKEN = "resolution_broken"
    COMPLAINTS_OPENED = "complaints_opened"
    COMPLAINTS_CLOSED = "complaints_closed"
    COMPLAINTS_RECEIVED = "complaints_received"
    COMPLAINTS_INVESTIGATING = "complaints_investigating"
    COMPLAINTS_WAITING = "complaints_waiting"
    COMPLAINTS_DECIDED = "complaints_decided"
    COMPLAINTS_REMEDIED = "complaints_remedied"


STANDING = {
    Figure.BACKLOG: Measured.OPEN,
    Figure.COMPLAINTS_RECEIVED: Measured.COMPLAINT_RECEIVED,
    Figure.COMPLAINTS_INVESTIGATING: Measured.COMPLAINT_INVESTIGATING,
    Figure.COMPLAINTS_WAITING: Measured.COMPLAINT_WAITING,
    Figure.COMPLAINTS_DECIDED: Measured.COMPLAINT_DECIDED,
    Figure.COMPLAINTS_REMEDIED: Measured.COMPLAINT_REMEDIED,
}
"""How many tickets stood so at the end, by the stretches that say so."""


@dataclass(frozen=True)
class Source:
    kinds: tuple[Measured, ...]
    also: tuple[Measured, ...] = ()
    """Of these only what was kept, or not kept."""
    kept: bool | None = None

    def holds(self, of: Columns) -> ColumnElement[bool]:
        holds: ColumnElement[bool] = of.kind.in_(self.kinds)
        return holds | (of.kind.in_(self.also) & of.kept.is_(self.kept)) if self.also else holds


SOURCES = {
    Figure.OPENED: Source((Measured.OPENED,)),
    Figure.HANDLED: Source(
        (Measured.MESSAGE_OUT, Measured.SOLVED), (Measured.CALL_IN, Measured.CALL_OUT), True
    ),
    Figure.SOLVED: Source((Measured.SOLVED,)),
    Figure.ONE_TOUCH: Source((), (Measured.SOLVED,), True),
    Figure.REOPENED: Source((Measured.REOPENED,)),
    **{figure: Source((kind,)) for figure, kind in STANDING.items()},
    Figure.MESSAGES_IN: Source((Measured.MESSAGE_IN,)),
    Figure.MESSAGES_OUT: Source((Measured.MESSAGE_OUT,)),
    Figure.CALLS_IN: Source((Measured.CALL_IN,)),
    Figure.CALLS_OUT: Source((Measured.CALL_OUT,)),
    Figure.CALLS_MISSED: Source((), (Measured.CALL_IN,), False),
    Figure.FIRST_REPLY: Source((Measured.FIRST_REPLY,)),
    Figure.NEXT_REPLY: Source((Measured.NEXT_REPLY,)),
    Figure.RESOLUTION: Source((Measured.SOLVED,)),
    Figure.HANDLE: Source((Measured.IN_HAND,)),
    Figure.PROMISES: Source(PROMISES),
    Figure.PROMISES_BROKEN: Source((), PROMISES, False),
    Figure.FIRST_REPLY_BROKEN: Source((), (Measured.FIRST_REPLY_PROMISE,), False),
    Figure.NEXT_REPLY_BROKEN: Source((), (Measured.NEXT_REPLY_PROMISE,), False),
    Figure.RESOLUTION_BROKEN: Source((), (Measured.RESOLUTION_PROMISE,), False),
    Figure.COMPLAINTS_OPENED: Source((Measured.COMPLAINT_OPENED,)),
    Figure.COMPLAINTS_CLOSED: Source((Measured.COMPLAINT_CLOSED,)),
}
TIMES = (Figure.FIRST_REPLY, Figure.NEXT_REPLY, Figure.RESOLUTION, Figure.HANDLE)
OF_TICKETS = frozenset(
    {
        *STANDING,
        Figure.OPENED,
        Figure.HANDLED,
        Figure.SOLVED,
        Figure.ONE_TOUCH,
        Figure.REOPENED,
        Figure.COMPLAINTS_OPENED,
        Figure.COMPLAINTS_CLOSED,
    }
)


@dataclass(frozen=True)
class Column:
    """Of a report's table."""

    kinds: frozenset[Measured]
    of: Callable[[Columns], ColumnElement[Any]]
    counts: bool = False
    """Nothing of it is 0, not unknown."""


def _count(figure: Figure) -> Column:
    source = SOURCES[figure]

    def counted(of: Columns) -> ColumnElement[Any]:
        holds = source.holds(of)
        if figure in OF_TICKETS:
            return func.count(distinct(case((holds, of.ticket_id))))
        return func.count().filter(holds)

    return Column(frozenset({*source.kinds, *source.also}), counted, counts=True)


def _time(kind: Measured, share: float, *, business: bool) -> Column:
    def timed(of: Columns) -> ColumnElement[Any]:
        seconds = case((of.kind == kind, of.business_seconds if business else of.wall_seconds))
        return func.round(cast(func.percentile_cont(share).within_group(seconds), Numeric))

    return Column(frozenset({kind}), timed)


def _percent(kinds: Collection[Measured]) -> Column:
    """Of promises that came due, how many were kept."""

    def kept(of: Columns) -> ColumnElement[Any]:
        one_of_them = of.kind.in_(kinds)
        share = cast(100 * func.count().filter(one_of_them & of.kept), Numeric)
        return func.round(share / func.nullif(func.count().filter(one_of_them), 0), 1)

    return Column(frozenset(kinds), kept)


def _reopened_percent(of: Columns) -> ColumnElement[Any]:
    again, solved = (_count(figure).of(of) for figure in (Figure.REOPENED, Figure.SOLVED))
    return func.round(cast(100 * again, Numeric) / func.nullif(solved, 0), 1)


TIMED = {
    "first_reply": Measured.FIRST_REPLY,
    "next_reply": Measured.NEXT_REPLY,
    "resolution": Measured.SOLVED,
    "handle": Measured.IN_HAND,
}

COLUMNS: dict[str, Column] = {
    **{figure.value: _count(figure) for figure in Figure if figure not in (*TIMES, *STANDING)},
    "reopened_percent": Column(frozenset({Measured.REOPENED, Measured.SOLVED}), _reopened_percent),
    **{
        f"{name}{'_business' if business else ''}_p{share}": _time(kind, share / 100, business=business)
        for name, kind in TIMED.items()
        for business in (False, True)
        for share in (50, 90)
    },
    "sla_percent": _percent(PROMISES),
    "first_reply_percent": _percent((Measured.FIRST_REPLY_PROMISE,)),
    "next_reply_percent": _percent((Measured.NEXT_REPLY_PROMISE,)),
    "resolution_percent": _percent((Measured.RESOLUTION_PROMISE,)),
}
"""By the names that the API and the table of figures give them; what stood at an end is counted by itself (`STANDING`)."""
