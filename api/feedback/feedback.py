"""What customers answered: of a ticket, and as a list for who looks after the help."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import aliased

from api.agents.staff import Agent, Team, agents_by_id, teams_by_id
from api.context import Info, Reading, nothing, plain
from api.node import Node
from api.paging import COUNTED, PageInfo, cursor_of, of_each, page_info, page_size, place_of
from api.selection import Selection, wanted
from domain.access import may_see
from domain.actors import Actor, ActorKind
from domain.db import one_of
from domain.desk.tickets import Ticket as TicketRow
from domain.feedback.requests import AnsweredBy
from domain.feedback.requests import SurveyRequest as Row
from domain.feedback.scales import SCORES, Scale, SurveyKind
from domain.gathering import gathered
from domain.ids import public_id, row_id
from domain.ways_in.channels import Channel, ChannelKind

if TYPE_CHECKING:
    from api.desk.tickets import Ticket

strawberry.enum(
    SurveyKind, description="CSAT: how satisfied with the help. NPS: how likely to recommend the shop."
)
strawberry.enum(Scale, name="SurveyScale", description="THUMBS are 1 and 5 of five.")
strawberry.enum(AnsweredBy, name="FeedbackWay")


@strawberry.type(description="What a customer answered to a survey about a solved ticket.")
class Feedback(Node):
    kind: SurveyKind
    scale: Scale
    score: int
    most: int = strawberry.field(description="The best score of its scale: 5 or 10.")
    words: str = strawberry.field(description="The customer's own; often none.")
    way: AnsweredBy
    channel: ChannelKind = strawberry.field(description="Where the customer had spoken last.")
    at: datetime
    changed_at: datetime | None = strawberry.field(
        description="When another answer took its place, if one did."
    )
    agent: Agent = strawberry.field(description="Who solved the ticket.")
    team: Team | None = strawberry.field(description="Whose ticket it was then.")
    ticket: Annotated["Ticket", strawberry.lazy("api.desk.tickets")]
    row_id: strawberry.Private[uuid.UUID]
    ticket_id: strawberry.Private[uuid.UUID]


@strawberry.type
class FeedbackEdge:
    cursor: str
    node: Feedback


@strawberry.type
class FeedbackConnection:
    edges: list[FeedbackEdge]
    page_info: PageInfo
    total_count: int = strawberry.field(description="Exact up to 1,000; 1,001 means more.")


@strawberry.input(description="What is left out asks for all. `since` counts, `until` does not any more.")
class FeedbackFilter:
    kind: SurveyKind | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_score: int | None = None
    max_score: int | None = None
    with_words: bool | None = None
    agent_id: strawberry.ID | None = None
    team_id: strawberry.ID | None = None
    channel_id: strawberry.ID | None = None


ANSWERED = Row.answered_at.is_not(None)


def _rows(reading: Reading, *conditions: ColumnElement[bool]) -> Any:
    return (
        select(Row.__table__, Channel.kind.label("channel"))
        .join(Channel, Channel.id == Row.channel_id)
        .where(may_see(Row, reading.actor), ANSWERED, *conditions)
    )


async def _shown(reading: Reading, rows: Sequence[Any], selection: Selection) -> list[Feedback]:
    from api.desk.tickets import tickets_by_id

    tickets_told = {row.ticket_id for row in rows}
    agents, teams, tickets = await gathered(
        agents_by_id(reading, [row.agent_id for row in rows]) if "agent" in selection else nothing(),
        teams_by_id(reading, [row.team_id for row in rows]) if "team" in selection else nothing(),
        tickets_by_id(reading, tickets_told, selection["ticket"]) if "ticket" in selection else nothing(),
    )
    return [
        plain(
            Feedback,
            {
                **{
                    name: getattr(row, name)
                    for name in ("kind", "scale", "score", "words", "channel", "ticket_id")
                },
                "id": public_id("Feedback", row.id),
                "row_id": row.id,
                "most": SCORES[row.scale][-1],
                "way": row.answered_by,
                "at": row.answered_at,
                "changed_at": row.changed_at if row.changed_at != row.answered_at else None,
                "agent": agents.get(row.agent_id),
                "team": teams.get(row.team_id),
                "ticket": tickets.get(row.ticket_id),
            },
        )
        for row in rows
    ]


async def feedback_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Feedback]:
    rows = (await reading.connection.execute(_rows(reading, one_of(Row.id, ids)))).all()
    return {one.row_id: one for one in await _shown(reading, rows, selection)}


async def feedback_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Feedback]:
    """Of each ticket the newest, also about what has become part of it."""
    its = aliased(TicketRow)  # the door asks the table itself
    at = func.coalesce(its.merged_into_id, its.id)
    answers = (
        _rows(reading, one_of(its.id, ticket_ids) | one_of(its.merged_into_id, ticket_ids))
        .join(its, its.id == Row.ticket_id)
        .add_columns(at.label("stands_at"))
    )
    newest = of_each(answers, at, Row.changed_at.desc(), most=1)
    rows = (await reading.connection.execute(newest)).all()
    found = await _shown(reading, rows, selection)
    return {row.stands_at: one for row, one in zip(rows, found, strict=True)}


async def _feedback(
    info: Info, filter: FeedbackFilter | None = None, first: int = 25, after: str | None = None
) -> FeedbackConnection:
    size, asked = page_size(first), wanted(info)
    async with info.context.reading() as reading:
        query = _rows(reading, *_own(reading.actor), *_filtered(filter or FeedbackFilter()))
        total = 0
        if "totalCount" in asked:
            counted = query.with_only_columns(Row.id).limit(COUNTED + 1).subquery()
            total = await reading.connection.scalar(select(func.count()).select_from(counted)) or 0
        if after:
            query = query.where(tuple_(Row.answered_at, Row.id) < tuple_(*place_of("feedback", after)))
        query = query.order_by(Row.answered_at.desc(), Row.id.desc()).limit(size + 1)
        rows = (await reading.connection.execute(query)).all()
        found = await _shown(reading, rows[:size], asked.below("edges", "node"))
    edges = [FeedbackEdge(cursor=cursor_of("feedback", one.at, one.row_id), node=one) for one in found]
    return FeedbackConnection(
        edges=edges, page_info=page_info(edges, after=after, more=len(rows) > size), total_count=total
    )


def _own(actor: Actor) -> list[ColumnElement[bool]]:
    """Who does not manage is told what was said of their own work."""
    if actor.kind != ActorKind.AGENT or actor.manages:
        return []
    has_it = select(TicketRow.id).where(TicketRow.id == Row.ticket_id, TicketRow.assignee_id == actor.id)
    return [(Row.agent_id == actor.id) | has_it.exists()]


def _filtered(asked: FeedbackFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.kind:
        conditions.append(Row.kind == asked.kind)
    if asked.since:
        conditions.append(Row.answered_at >= asked.since)
    if asked.until:
        conditions.append(Row.answered_at < asked.until)
    if asked.min_score is not None:
        conditions.append(Row.score >= asked.min_score)
    if asked.max_score is not None:
        conditions.append(Row.score <= asked.max_score)
    if asked.with_words is not None:
        conditions.append(Row.words != "" if asked.with_words else Row.words == "")
    if asked.agent_id:
        conditions.append(Row.agent_id == row_id("Agent", asked.agent_id, field="agentId"))
    if asked.team_id:
        conditions.append(Row.team_id == row_id("Team", asked.team_id, field="teamId"))
    if asked.channel_id:
        conditions.append(Row.channel_id == row_id("Channel", asked.channel_id, field="channelId"))
    return conditions


async def words_of(reading: Reading, events: Sequence[Any]) -> dict[int, str]:
    """What the customer wrote with the answers that these events tell of, by their seq: of each answer with the last."""
    asked = {
        uuid.UUID(event.data["request"]): event for event in sorted(events, key=lambda one: int(one.seq))
    }
    if not asked:
        return {}
    rows = await reading.connection.execute(
        select(Row.id, Row.words, Row.changed_at).where(may_see(Row, reading.actor), one_of(Row.id, asked))
    )
    return {asked[row.id].seq: row.words for row in rows if row.changed_at == asked[row.id].at}


@strawberry.type
class FeedbackQueries:
    feedback: FeedbackConnection = strawberry.field(
        resolver=_feedback,
        description="Newest first. Agents see what was said of tickets that they solved or have; who manages sees all.",
    )
