"""The tickets behind a figure: `metricTickets`."""

from dataclasses import replace

import strawberry

from api.context import Info
from api.desk.tickets import Ticket, tickets_by_id
from api.paging import COUNTED, PageInfo, cursor_of, page_info, page_size, place_of
from api.reporting.metrics import NAMED, NOBODY, PREVIOUS, TOTAL, MetricRange, asked_of
from api.selection import wanted
from domain.errors import InvalidInput
from domain.ids import row_id
from domain.languages import N_
from domain.reporting.asking import Asked, Grouping, Key
from domain.reporting.figures import Figure
from domain.reporting.listing import Behind, how_many, shares
from domain.reporting.periods import Period

strawberry.enum(
    Figure,
    name="MetricFigure",
    description="FIRST_REPLY, NEXT_REPLY, RESOLUTION and HANDLE are what the times were measured from.",
)


@strawberry.type
class MetricTicketEdge:
    cursor: str
    node: Ticket
    count: int = strawberry.field(
        description="How much of the figure this ticket is: the counts of all edges together are the figure."
    )
    seconds: int | None = strawberry.field(description="Of what is timed; of several times, the longest.")


@strawberry.type
class MetricTicketConnection:
    edges: list[MetricTicketEdge]
    page_info: PageInfo
    total_count: int = strawberry.field(description="Exact up to 1,000; 1,001 means more.")


async def _metric_tickets(
    info: Info,
    range: MetricRange,
    group_by: Grouping,
    key: strawberry.ID,
    figure: Figure,
    first: int = 25,
    after: str | None = None,
) -> MetricTicketConnection:
    size, selection = page_size(first), wanted(info)
    async with info.context.reading() as reading:
        asked = asked_of(reading.actor, range, group_by, reading.at)
        behind = _behind(asked, figure, key)
        place = place_of("measured", after) if after else None
        found = await shares(reading.connection, behind, after=place, limit=size + 1)
        total = 0
        if "totalCount" in selection:
            total = await how_many(reading.connection, behind, most=COUNTED + 1)
        ids = [row.ticket_id for row in found[:size]]
        tickets = await tickets_by_id(reading, ids, selection.below("edges", "node"))
    edges = [
        MetricTicketEdge(
            cursor=cursor_of("measured", row.last_at, row.ticket_id),
            node=tickets[row.ticket_id],
            count=row.times,
            seconds=row.seconds,
        )
        for row in found[:size]
        if row.ticket_id in tickets  # a moment ago it was
    ]
    return MetricTicketConnection(
        edges=edges, page_info=page_info(edges, after=after, more=len(found) > size), total_count=total
    )


def _behind(asked: Asked, figure: Figure, key: str) -> Behind:
    if key == PREVIOUS:
        before = Period(asked.period.before(), asked.period.begin, asked.period.zone)
        asked, key = replace(asked, period=before), TOTAL
    if key == TOTAL:
        return Behind(asked, figure, whole=True)
    return Behind(asked, figure, _key(asked, key))


def _key(asked: Asked, key: str) -> Key:
    """As `metrics` wrote it."""
    match asked.by:
        case Grouping.HOUR if key.isdecimal() and int(key) < 24:
            return int(key)
        case Grouping.DAY:
            for number, (day, _) in enumerate(asked.days):
                if day.isoformat() == key:
                    return number
        case Grouping.AGENT | Grouping.CHANNEL | Grouping.TEAM:
            return None if key == NOBODY else row_id(NAMED[asked.by], key, field="key")
    raise InvalidInput(N_("There is no such row in this report."), field=["key"])


@strawberry.type
class MetricTicketQueries:
    metric_tickets: MetricTicketConnection = strawberry.field(
        resolver=_metric_tickets,
        description="The tickets behind one figure of `metrics`, for the same range and grouping; the latest first.",
    )
