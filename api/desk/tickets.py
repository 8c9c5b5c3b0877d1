"""Tickets: the inbox, one ticket with all that belongs to it, and what agents do with it."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, Team
from api.columns import Columns
from api.computed import computed
from api.context import Info, Reading, fill
from api.customers.contacts import Contact
from api.customers.identities import Identity
from api.desk.history import PAGED, Ahead, Asked, TimelineConnection, read_ahead, timeline_of_ticket
from api.desk.threads import Thread
from api.desk.ticket_fields import TicketFieldValue
from api.desk.ticket_parts import PARTS
from api.node import Node
from api.paging import of_each
from api.reads import opened
from api.scalars import BigInt
from api.selection import Selection, wanted
from api.sla.sla import Clock
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.assigning.choosing import Nobody
from domain.db import Json, among, one_of_given
from domain.desk.history import TimelineKind
from domain.desk.survivors import became
from domain.desk.tickets import LIVE, TicketStatus
from domain.desk.tickets import Ticket as TicketRow
from domain.gathering import gathered
from domain.ids import public_id, row_id
from domain.ways_in.channels import ChannelKind

if TYPE_CHECKING:
    from api.alerting.alerts import Alert
    from api.complaints.complaints import Complaint
    from api.desk.tasks import Task
    from api.feedback.asked import TicketSurvey
    from api.feedback.feedback import Feedback
    from api.joining.joining import TicketSuggestion
    from api.working.drafts import Draft
    from api.working.links import TicketLink
    from api.working.viewing import Viewing

strawberry.enum(TicketStatus)
strawberry.enum(
    Nobody,
    name="WaitsBecause",
    description="Of all reasons the one nearest to somebody. `BY_HAND`: it has no team, or its team's tickets are taken by hand. "
    "`NOT_THERE`: of its team nobody is on shift, back and in reach; for a live chat, at a screen and not on the telephone. "
    "`UNSKILLED`: none of them has the skill it needs. `OTHER_LANGUAGE`: none speaks the customer's, who is waited for. "
    "`LET_GO`: only who gave it back could have it. `FULL`: each of them has as much as they can carry.",
)

NEWEST = (TicketRow.updated_at.desc(), TicketRow.id.desc())
MOST_AT_ONCE = 100


@strawberry.type(description="One matter of one contact, joining any number of conversations.")
class Ticket(Node):
    number: int
    subject: str
    status: TicketStatus
    priority: int = strawberry.field(description="1 urgent, 2 high, 3 normal, 4 low.")
    tags: list[str]
    is_spam: bool
    created_at: datetime
    updated_at: datetime
    contact: Contact
    assignee: Agent | None
    team: Team | None
    waits_because: Nobody | None = strawberry.field(
        description="Why nobody is given it, as things are now. Null: somebody has it, or is about to be given it, or it is not the shop's turn."
    )
    preview: str = strawberry.field(description="The beginning of what was written last.")
    channels: list[ChannelKind]
    last_channel: ChannelKind | None
    seq: BigInt = strawberry.field(
        description="Of the newest item: what `messageSend` takes as `lastSeenSeq`."
    )
    unread_count: int = strawberry.field(
        description="The customer's messages after our last answer; 0 of a solved or closed ticket, whoever has looked at it."
    )
    clock: Clock | None = strawberry.field(description="The most urgent promise.")
    clocks: list[Clock]
    alert: Annotated["Alert", strawberry.lazy("api.alerting.alerts")] | None = strawberry.field(
        description="Of those that are not resolved, the one that `alerts` tells first: one that fires before one that somebody has, then the highest."
    )
    complaint: Annotated["Complaint", strawberry.lazy("api.complaints.complaints")] | None
    threads: list[Thread]
    suggestions: list[Annotated["TicketSuggestion", strawberry.lazy("api.joining.joining")]] = (
        strawberry.field(description="Other tickets that may be the same matter, the likeliest first.")
    )
    tasks: list[Annotated["Task", strawberry.lazy("api.desk.tasks")]] = strawberry.field(
        description="The first hundred, in the order of `tasks(filter: {ticketId:})`."
    )
    feedback: Annotated["Feedback", strawberry.lazy("api.feedback.feedback")] | None = strawberry.field(
        description="The newest answer to a survey about it."
    )
    survey: Annotated["TicketSurvey", strawberry.lazy("api.feedback.asked")] | None = strawberry.field(
        description="Whether the customer was asked how the help was, and why not; null where no survey was meant to."
    )
    reply_channels: list[Identity] = strawberry.field(
        description="By what the customer can be reached, the one used last first."
    )
    snoozed_until: datetime | None = strawberry.field(
        description="It sleeps until then, or until the customer writes."
    )
    fields: list[TicketFieldValue] = strawberry.field(
        description="Those that have a value, by label; at most 50."
    )
    draft: Annotated["Draft", strawberry.lazy("api.working.drafts")] | None
    viewers: list[Annotated["Viewing", strawberry.lazy("api.working.viewing")]] = strawberry.field(
        description="Who has it open now: of the shop's people, so at most as many as there are."
    )
    links: list[Annotated["TicketLink", strawberry.lazy("api.working.links")]] = strawberry.field(
        description="Other tickets, as far as one sees them; at most 50 are made."
    )
    kept_fields: strawberry.Private[Json]
    ahead: strawberry.Private[Ahead | None] = None
    row_id: strawberry.Private[uuid.UUID]
    contact_id: strawberry.Private[uuid.UUID]
    assignee_id: strawberry.Private[uuid.UUID | None]
    team_id: strawberry.Private[uuid.UUID | None]
    due_at: strawberry.Private[datetime]

    @strawberry.field(description=f"Newest first. {PAGED}")
    async def timeline(
        self,
        info: Info,
        first: int = 30,
        before: str | None = None,
        last: int | None = None,
        after: str | None = None,
        kinds: list[TimelineKind] | None = None,
        channels: list[ChannelKind] | None = None,
    ) -> TimelineConnection:
        await opened(info.context, [self.contact_id])
        asked = Asked(first, before, last, after, kinds, channels)
        if self.ahead and self.ahead.asked == asked:
            return self.ahead.timeline
        return await timeline_of_ticket(info, self.row_id, asked)


computed(Ticket, id=lambda ticket: public_id("Ticket", ticket.row_id))


async def tickets_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Ticket]:
    """Those this person sees, newest activity first, by the id asked for: of a merged ticket, the one it became."""
    query = _by_id(access.sight(reading.actor), COLUMNS.asked(selection))
    moved, tickets = await gathered(
        became(reading.connection, ids), load_tickets(reading, query, selection, {"ids": list(ids)})
    )
    found = {ticket.row_id: ticket for ticket in tickets}
    asked = {id: found[survivor] for id, survivor in moved.items() if survivor in found and id in ids}
    return {id: ticket for id, ticket in found.items() if id in ids} | asked


_asked_for = TicketRow.__table__.alias()
_survivors = select(func.coalesce(_asked_for.c.merged_into_id, _asked_for.c.id)).where(
    one_of_given(_asked_for.c.id)
)


@lru_cache(1000)
def _by_id(actor: Actor, columns: frozenset[str]) -> Select[Any]:
    return _seen(actor, columns).where(among(TicketRow.id, _survivors)).order_by(*NEWEST)


async def tickets_now(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Ticket]:
    """Those this person sees, by the id of a row that points to them: no merged one is among them, for such pointers move."""
    query = _now(access.sight(reading.actor), COLUMNS.asked(selection))
    found = await load_tickets(reading, query, selection, {"ids": list(ids)})
    return {ticket.row_id: ticket for ticket in found}


@lru_cache(1000)
def _now(actor: Actor, columns: frozenset[str]) -> Select[Any]:
    return _seen(actor, columns).where(one_of_given(TicketRow.id))


async def open_tickets_of(
    reading: Reading, contact_ids: Collection[uuid.UUID], selection: Selection
) -> list[Ticket]:
    """For each contact the newest hundred that this person sees."""
    query = _open(access.sight(reading.actor), COLUMNS.asked(selection))
    return await load_tickets(reading, query, selection, {"ids": list(contact_ids)})


@lru_cache(1000)
def _open(actor: Actor, columns: frozenset[str]) -> Select[Any]:
    query = _seen(actor, columns).where(
        one_of_given(TicketRow.contact_id),
        TicketRow.status.in_(LIVE),
        TicketRow.merged_into_id.is_(None),
        TicketRow.spam_at.is_(None),
    )
    return of_each(query, TicketRow.contact_id, *NEWEST)


_table = TicketRow.__table__.c
COLUMNS = Columns(
    (
        _table.id.label("row_id"),
        _table.contact_id,
        _table.assignee_id,
        _table.team_id,
        _table.created_at,
        _table.updated_at,
        _table.due_at,
    ),
    {
        "number": _table.number,
        "subject": _table.subject,
        "status": _table.status,
        "priority": _table.priority,
        "tags": _table.tags,
        "isSpam": _table.spam_at.is_not(None).label("is_spam"),
        "snoozedUntil": _table.snoozed_until,
        "fields": _table.fields.label("kept_fields"),
    },
)


def _seen(actor: Actor, columns: frozenset[str]) -> Select[Any]:
    return select(*COLUMNS.of(columns)).where(may_see(TicketRow, actor))


async def load_tickets(
    reading: Reading, query: Select[Any], selection: Selection, values: Mapping[str, Any] | None = None
) -> list[Ticket]:
    tickets = await reading.connection.objects(Ticket, query, values)
    if tickets:
        await fill(PARTS, reading, tickets, selection)
    return tickets


async def _ticket(info: Info, id: strawberry.ID) -> Ticket | None:
    asked = row_id("Ticket", id)
    async with info.context.reading() as reading:
        tickets, ahead = await gathered(
            tickets_by_id(reading, [asked], wanted(info)), read_ahead(info, reading, asked, wanted(info))
        )
    found = tickets.get(asked)
    if found and found.row_id == asked:  # not of one that was merged
        found.ahead = ahead
    await opened(info.context, [found.contact_id] if found else [])
    return found


async def read_ticket(info: Info, id: str) -> Ticket | None:
    async with info.context.reading() as reading:
        asked = uuid.UUID(id)
        return (await tickets_by_id(reading, [asked], wanted(info).below("ticket"))).get(asked)


async def held(session: AsyncSession, id: str, actor: Actor, *, field: str = "ticketId") -> TicketRow:
    """A ticket this person sees, held: of a merged one, the survivor."""
    return await access.ticket(session, row_id("Ticket", id, field=field), to=actor, lock=True)


@strawberry.type
class TicketQueries:
    ticket: Ticket | None = strawberry.field(
        resolver=_ticket, description="Of a merged ticket, the one it became."
    )
