"""Who is told of an event."""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Role
from domain.events import Event, EventKind
from domain.staff import Agent


async def recipients(session: AsyncSession, event: Event) -> list[uuid.UUID]:
    match event.kind:
        case EventKind.ALERT_FIRED:
            return await _managers(session)
        case _:
            return []


async def _managers(session: AsyncSession) -> list[uuid.UUID]:
    found = await session.scalars(
        select(Agent.id)
        .where(Agent.role.in_((Role.MANAGER, Role.ADMIN)), Agent.left_at.is_(None))
        .order_by(Agent.created_at)
    )
    return list(found)
