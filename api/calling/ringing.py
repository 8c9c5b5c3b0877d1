"""The screen pop: what rings for whoever asks, and nobody else, from the first ring until somebody takes it or nobody does."""

import uuid
from collections.abc import AsyncGenerator

import strawberry
import structlog
from sqlalchemy import func, literal, or_, select
from sqlalchemy.exc import SQLAlchemyError

from api.audiences import POLL
from api.calling.calls import Call
from api.context import Context, Info, Reading, plain
from api.desk.timeline import items_by_id
from api.selection import wanted
from domain.access import may_see
from domain.agents import duty
from domain.agents.staff import TeamMember
from domain.bell import heard
from domain.calling import ringing
from domain.calling.dialled_numbers import DialledNumber
from domain.desk import messages
from domain.desk.messages import CALLS
from domain.ways_in.channels import Channel

log = structlog.get_logger()

MOST = 20


@strawberry.type(description="What rings for you now: an empty list when somebody took it, or nobody did.")
class RingingChanged:
    calls: list[Call] = strawberry.field(description="The newest first; at most 20.")


async def _stream(info: Info) -> AsyncGenerator[RingingChanged, None]:
    context: Context = info.context
    selection = wanted(info).below("calls")
    told: list[tuple[uuid.UUID, uuid.UUID]] | None = None
    with context.house.db.bell.listening(CALLS.topic) as rung, context.watched(rung) as who:
        while True:
            rung.clear()
            context.becomes(who.actor)
            news: RingingChanged | None = None
            try:
                async with context.reading() as reading:
                    rings = await _ringing(reading)
                    if [(id, ticket_id) for id, ticket_id in rings] != told:
                        told = rings
                        found = await items_by_id(reading, [id for id, _ in rings], selection)
                        calls = [found[id] for id, _ in rings if id in found]
                        news = plain(RingingChanged, {"calls": calls})
            except (SQLAlchemyError, OSError) as failure:
                log.warning("ringing_waits_for_database", error=type(failure).__name__)
            if news:
                yield news
            await heard(rung, POLL)


async def _ringing(reading: Reading) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Calls that this person sees and whose telephone rings, or that of anybody in the number's or the line's team, while they
    are on shift; each with its ticket."""
    call, me = messages.Call, reading.actor.agent_id
    if me is None:
        return []
    mine = select(TeamMember.team_id).where(TeamMember.agent_id == me)
    found = await reading.connection.execute(
        select(call.id, call.ticket_id, call.ringing)
        .join(Channel, Channel.id == call.channel_id)
        .outerjoin(DialledNumber, ringing.NUMBER)
        .where(
            call.ringing.is_not(None),
            may_see(messages.Item, reading.actor),
            or_(
                call.ringing.has_key(str(me)),
                (func.jsonb_array_length(call.ringing) == literal(0))
                & (ringing.TEAM_ID.is_(None) | ringing.TEAM_ID.in_(mine)),
            ),
        )
        .order_by(call.at.desc(), call.id)
        .limit(MOST)
    )
    rows = found.all()
    if any(not row.ringing for row in rows) and me not in await duty.on_duty(
        reading.connection, at=reading.at
    ):
        rows = [row for row in rows if row.ringing]
    return [(row.id, row.ticket_id) for row in rows]


@strawberry.type
class RingingSubscriptions:
    call_ringing: AsyncGenerator[RingingChanged, None] = strawberry.subscription(
        resolver=_stream,
        description="Calls that ring on your telephone (`Agent.line`, or your email, as the PBX names it), or for your team where "
        "the PBX names nobody and you are on shift. First what rings now, then each time that it changes.",
    )
