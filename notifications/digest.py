"""Alerts that have climbed to the end unanswered: how many, once an hour, and after a day without an answer once a day."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent
from domain.alerting import notices
from domain.alerting.alert_preferences import Silence, preferences_of
from domain.alerting.alerts import WARNINGS, Alert, AlertState
from domain.alerting.ladders import Way
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.db import new_id
from domain.sla.clocks import ladder_of
from notifications.recipients import owner_of, people_of_the_shop, who_is_told

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)


async def digest(session: AsyncSession, *, at: datetime) -> int:
    """To those on the last step; how many were told."""
    rang_within_the_hour, rang_within_the_day = (
        exists().where(Notice.alert_id == Alert.id, Notice.created_at > at - time)
        for time in (AN_HOUR, A_DAY)
    )
    found = await session.execute(
        select(Alert, rang_within_the_day.label("is_new")).where(
            Alert.state == AlertState.FIRING,
            Alert.next_at.is_(None),
            Alert.kind.not_in(WARNINGS),
            ~rang_within_the_hour,
        )
    )
    people = await people_of_the_shop(session, at=at)
    counts: dict[uuid.UUID, int] = {}
    hourly: set[uuid.UUID] = set()
    for alert, is_new in found.all():
        top = (await ladder_of(session, alert)).top
        owner_id = await owner_of(session, alert)
        for agent_id in await who_is_told(session, top, people, alert.ticket_id, owner_id=owner_id):
            counts[agent_id] = counts.get(agent_id, 0) + 1
            if is_new:
                hourly.add(agent_id)
    told = 0
    for agent_id in await _whose_turn_it_is(session, counts, hourly, at=at):
        told += await _tell(session, agent_id, counts[agent_id], at=at)
    return told


async def _whose_turn_it_is(
    session: AsyncSession, all_of_them: Iterable[uuid.UUID], hourly: set[uuid.UUID], *, at: datetime
) -> list[uuid.UUID]:
    """One that was silenced tells nothing, and does not use up a day."""
    lately = await _told(session, Notice.created_at > at - AN_HOUR)
    today = await _told(session, Notice.created_at > at - A_DAY, Notice.state != NoticeState.SILENCED)
    return [id for id in all_of_them if id not in lately and (id in hourly or id not in today)]


async def _told(session: AsyncSession, *when: ColumnElement[bool]) -> set[uuid.UUID]:
    return set(await session.scalars(select(Notice.agent_id).where(Notice.kind == NoticeKind.DIGEST, *when)))


async def _tell(session: AsyncSession, agent_id: uuid.UUID, count: int, *, at: datetime) -> bool:
    """It reminds of what has rung by its level: in quiet hours it waits, whatever rings in them."""
    added = insert(Notice).values(
        id=new_id(), agent_id=agent_id, kind=NoticeKind.DIGEST, count=count, level=3, created_at=at,
        period=at.replace(minute=0, second=0, microsecond=0),
    ).on_conflict_do_nothing().returning(Notice.id)  # fmt: skip
    id = await session.scalar(added)
    if id is None:
        return False
    notice, agent = await session.get_one(Notice, id), await session.get_one(Agent, agent_id)
    preferences = await preferences_of(session, agent_id)
    if preferences.rests(zone=agent.timezone, at=at):
        notice.end(NoticeState.SILENCED, Silence.QUIET)
        return False
    await notices.begin(session, notice, (Way.PUSH, Way.EMAIL), at=at)
    return True
