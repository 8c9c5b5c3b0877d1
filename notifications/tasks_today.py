"""In the morning, to each person: how many tasks of theirs fall due today, with those that are overdue."""

import uuid
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent
from domain.alerting import notices
from domain.alerting.alert_preferences import preferences_of
from domain.alerting.devices import devices_to_ring
from domain.alerting.ladders import Way
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.db import new_id
from domain.desk.tasks import Task
from domain.planning import days

MORNING, NOON = time(8), time(12)
"""By the person's own clock. Who was in quiet hours until noon has seen the day by then."""


async def tasks_today(session: AsyncSession, *, at: datetime) -> int:
    """How many people were told."""
    told = 0
    for row in await session.execute(
        select(Agent.id, Agent.timezone).where(
            Agent.left_at.is_(None), Agent.id.in_(select(Task.assignee_id).where(Task.done_at.is_(None)))
        )
    ):
        local = at.astimezone(ZoneInfo(row.timezone))
        if MORNING <= local.time() < NOON:
            told += await _tell(session, row.id, local, at=at)
    return told


async def _tell(session: AsyncSession, agent_id: uuid.UUID, local: datetime, *, at: datetime) -> bool:
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    count = await session.scalar(
        select(func.count()).where(
            days.mine(agent_id), days.OPEN, days.NOT_OF_SPAM, Task.due_at < today + timedelta(days=1)
        )
    )
    preferences = await preferences_of(session, agent_id)
    if not count or preferences.rests(zone=str(local.tzinfo), at=at):
        return False
    added = insert(Notice).values(
        id=new_id(), agent_id=agent_id, kind=NoticeKind.TASKS_TODAY, count=count, created_at=at,
        period=today.astimezone(UTC), state=NoticeState.TRYING,
    ).on_conflict_do_nothing().returning(Notice.id)  # fmt: skip
    id = await session.scalar(added)
    if id is None:
        return False
    way = Way.PUSH if await devices_to_ring(session, agent_id) else Way.EMAIL
    await notices.begin(session, await session.get_one(Notice, id), (way,), at=at)
    return True
