"""Writes a notice for everybody who is to be told of an event."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain import notices
from domain.db import database_time
from domain.events import Event
from notifications.recipients import recipients

NAME = "notifications"


async def dispatch(session: AsyncSession, event: Event) -> None:
    for agent_id in await recipients(session, event):
        now = await database_time(session)
        await notices.address(
            session, agent_id=agent_id, event_seq=event.seq, alert_id=event.alert_id, at=now
        )
