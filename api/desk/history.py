"""The history of a ticket or of a whole contact, read by page towards the past or towards now."""

import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import strawberry
from graphql import GraphQLError
from graphql.execution.values import VariableValues, get_argument_values
from sqlalchemy import select
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments

from api.computed import computed
from api.context import Info, Reading, nothing, plain
from api.desk.messages import unread
from api.desk.timeline import TimelineItem, timeline_items
from api.paging import PageInfo, page_size
from api.selection import Selection, wanted
from domain.access import may_see
from domain.customers.survivors import same_person
from domain.desk import history
from domain.desk.history import TimelineKind
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput, Refused
from domain.gathering import gathered
from domain.languages import N_
from domain.ways_in.channels import ChannelKind

strawberry.enum(TimelineKind)

PAGED = (
    "`first` ones older than `before`, from now on without it; or the `last` ones next after `after`, from the very first "
    "without it: older and newer mean the place in the history. With `channels`, what came by those: no notes, no events."
)


@strawberry.type
class TimelineEdge:
    cursor: str
    node: TimelineItem
    row: strawberry.Private[Any]


computed(TimelineEdge, cursor=lambda edge: history.cursor((edge.row.at, edge.row.seq)))


@strawberry.type(description="Newest first, whichever way it is paged: `hasNextPage` is about older ones.")
class TimelineConnection:
    edges: list[TimelineEdge]
    page_info: PageInfo


@dataclass(frozen=True)
class Asked:
    """The arguments of a timeline."""

    first: int
    before: str | None = None
    last: int | None = None
    after: str | None = None
    kinds: Collection[TimelineKind] | None = None
    channels: Collection[ChannelKind] | None = None

    def page(self) -> history.Page:
        towards_now = self.last is not None or self.after is not None
        if towards_now and self.before is not None:
            raise InvalidInput(
                N_("Ask for `first` and `before`, or for `last` and `after`."), field=["before"]
            )
        return history.Page(
            limit=page_size(self.first) if self.last is None else page_size(self.last, field="last"),
            before=None if self.before is None else history.moment(self.before, "before"),
            after=None if self.after is None else history.moment(self.after, "after"),
            oldest=towards_now,
            kinds=self.kinds or tuple(TimelineKind),
            channels=self.channels or (),
        )


Read = Callable[[history.Page], Awaitable[Sequence[Any]]]


@dataclass(frozen=True)
class Ahead:
    """A ticket's timeline that was read beside the ticket."""

    asked: Asked
    timeline: TimelineConnection


async def read_ahead(
    info: Info, reading: Reading, ticket_id: uuid.UUID, selection: Selection
) -> Ahead | None:
    """`selection`: of the ticket. None where it asks for no timeline, for several, or for one that cannot be: its field says why."""
    below = selection.below("timeline")
    try:
        asked = _asked(info, below)
        return Ahead(asked, await _of_ticket(reading, ticket_id, asked.page(), below)) if asked else None
    except Refused:
        return None


def _asked(info: Info, selection: Selection) -> Asked | None:
    if len(selection.nodes) != 1 or not selection.is_certain:
        return None
    schema = info.schema
    ticket: Any = schema._schema.type_map["Ticket"]
    field = ticket.fields["timeline"]
    try:
        values = get_argument_values(field, selection.nodes[0], VariableValues({}, info.variable_values))
    except GraphQLError:
        return None
    arguments = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].arguments
    registry = schema.schema_converter.scalar_registry
    return Asked(**convert_arguments(values, arguments, registry, schema.config))


async def timeline_of_ticket(info: Info, ticket_id: uuid.UUID, asked: Asked) -> TimelineConnection:
    async with info.context.reading() as reading:
        return await _of_ticket(reading, ticket_id, asked.page(), wanted(info))


async def _of_ticket(
    reading: Reading, ticket_id: uuid.UUID, page: history.Page, selection: Selection
) -> TimelineConnection:
    async def read(page: history.Page) -> Sequence[Any]:
        return await history.of_ticket(reading.connection, ticket_id, page)

    return await _connection(reading, read, page, selection)


async def timeline_of_contact(info: Info, contact_id: uuid.UUID, asked: Asked) -> TimelineConnection:
    async with info.context.reading() as reading:
        mine = select(Ticket.id).where(
            same_person(Ticket.contact_id, contact_id), may_see(Ticket, reading.actor)
        )

        async def read(page: history.Page) -> Sequence[Any]:
            return await history.of_contact(reading.connection, contact_id, page, tickets=mine)

        return await _connection(reading, read, asked.page(), wanted(info))


async def _connection(
    reading: Reading, read: Read, page: history.Page, selection: Selection
) -> TimelineConnection:
    below = selection.below("edges", "node")
    page = replace(page, without=unread(below))
    rows = await read(replace(page, limit=page.limit + 1))
    shown = rows[-page.limit :] if page.oldest else rows[: page.limit]
    more = len(rows) > page.limit
    behind = "hasNextPage" if page.oldest else "hasPreviousPage"
    turned = _turned(page, shown) if behind in selection.below("pageInfo") else None
    nodes, came = await gathered(timeline_items(reading, shown, below), read(turned) if turned else nothing())
    edges = [plain(TimelineEdge, {"row": row, "node": node}) for row, node in zip(shown, nodes, strict=True)]
    return plain(
        TimelineConnection,
        {
            "edges": edges,
            "page_info": PageInfo(
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
                has_previous_page=more if page.oldest else bool(came),
                has_next_page=bool(came) if page.oldest else more,
            ),
        },
    )


def _turned(page: history.Page, shown: Sequence[Any]) -> history.Page | None:
    """What lies behind who reads this page, its own place included where the page is empty; none at either end."""
    if page.oldest and page.after:
        at, seq = (shown[-1].at, shown[-1].seq) if shown else _next(page.after)
        return replace(page, limit=1, oldest=False, after=None, before=(at, seq))
    if page.before:
        at, seq = (shown[0].at, shown[0].seq) if shown else (page.before[0], page.before[1] - 1)
        return replace(page, limit=1, oldest=True, before=None, after=(at, seq))
    return None


def _next(place: history.Moment) -> history.Moment:
    at, seq = place
    return at, min(seq + 1, 2**63 - 1)
