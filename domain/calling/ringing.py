"""Whose a call is while it rings."""

import uuid
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import who_may_see
from domain.agents.presence import Activity, standings
from domain.agents.staff import TeamMember
from domain.calling.call_steps import RINGS_FOR
from domain.calling.dialled_numbers import DialledNumber
from domain.desk.messages import Call, CallState, Direction
from domain.desk.tickets import Ticket
from domain.ways_in.channels import Channel

NUMBER = (DialledNumber.channel_id == Call.channel_id) & (DialledNumber.number == Call.dialled)
TEAM_ID = func.coalesce(DialledNumber.team_id, Channel.team_id)
"""Of a call, beside its channel and the `NUMBER` that was dialled; where there is none, it rings for everybody."""


async def whose(session: AsyncSession, call_id: uuid.UUID | None, *, at: datetime) -> list[uuid.UUID]:
    """Who could take it: of those whose telephones ring, or, where nobody says whose, of its team and who has the ticket, those on
    shift, not away and not on the telephone. If who has the ticket is among them, it is theirs alone."""
    found = await session.execute(
        select(Call.ringing, Ticket.id, Ticket.assignee_id, TEAM_ID.label("team_id"))
        .join(Ticket, Ticket.id == Call.ticket_id)
        .join(Channel, Channel.id == Call.channel_id)
        .outerjoin(DialledNumber, NUMBER)
        .where(
            Call.id == call_id,
            Call.direction == Direction.IN,
            Call.call_state == CallState.RINGING,
            Call.ringing.is_not(None),
            Call.at > at - RINGS_FOR,
            Ticket.spam_at.is_(None),
        )
    )
    call = found.one_or_none()
    if call is None:
        return []
    there = {
        id
        for id, one in (await standings(session, None, at=at)).items()
        if one.on_shift and not one.away and one.activity == Activity.IDLE
    }
    if call.ringing:
        there &= set(map(uuid.UUID, call.ringing))
    elif call.team_id:
        members = await session.scalars(select(TeamMember.agent_id).where(TeamMember.team_id == call.team_id))
        there &= {*members, call.assignee_id}
    seeing = await who_may_see(session, sorted(there), call.id)
    return [call.assignee_id] if call.assignee_id in seeing else seeing
