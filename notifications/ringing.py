"""Whoever could take a call is told while it rings; once it does no more, what told them is taken away."""

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent
from domain.alerting import notices
from domain.alerting.alert_preferences import preferences_of
from domain.alerting.devices import devices_to_ring
from domain.alerting.ladders import Way
from domain.alerting.notices import Notice, NoticeKind
from domain.calling import ringing
from domain.db import database_time, new_id
from domain.desk.messages import CallState
from domain.events import Event
from notifications import clearing


async def tell(session: AsyncSession, event: Event, call_id: uuid.UUID) -> None:
    if event.data["state"] != CallState.RINGING:
        await clearing.of_call(session, call_id, event.ticket_id)
        return
    told = set(await session.scalars(select(Notice.agent_id).where(Notice.call_id == call_id)))
    now = await database_time(session)
    for agent_id in await ringing.whose(session, call_id, at=now):
        if agent_id not in told and await _wants_it(session, agent_id, at=now):
            notice = Notice(
                id=new_id(), agent_id=agent_id, kind=NoticeKind.CALL_RINGING, event_seq=event.seq,
                call_id=call_id, ticket_id=event.ticket_id, created_at=now,
            )  # fmt: skip
            await notices.begin(session, notice, (Way.PUSH,), at=now)


async def _wants_it(session: AsyncSession, agent_id: uuid.UUID, *, at: datetime) -> bool:
    agent, preferences = await session.get_one(Agent, agent_id), await preferences_of(session, agent_id)
    rests = preferences.rests(zone=agent.timezone, at=at)
    return preferences.calls and not rests and bool(await devices_to_ring(session, agent_id))
