"""Who is rung by an alert: the people of its step, then the next, unless they want to be left alone; many at once are told as one."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent
from domain.alerting import notices
from domain.alerting.alert_preferences import AlertPreferences, Silence, preferences_of
from domain.alerting.alerts import Alert, AlertState
from domain.alerting.ladders import Ladder, Way
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.db import database_time, new_id
from domain.events import Event
from domain.sla.clocks import ladder_of
from notifications.recipients import concern_of, next_after, owner_of, people_of_the_shop, who_is_told

STORM = 5
"""More alerts than this within the time below, for one person, are told as one."""
STORM_WITHIN = timedelta(minutes=2)
STORM_AGAIN = timedelta(minutes=5)


async def tell(session: AsyncSession, event: Event) -> None:
    """Those whom the step names on which the alert stood when this happened; the last, where the ladder has become shorter."""
    alert = await session.get(Alert, event.alert_id)
    if alert is None or alert.state != AlertState.FIRING:
        return
    ladder = await ladder_of(session, alert)
    rung = int(event.data.get("rung", 0))
    step = ladder.step(rung, warning=alert.warns) or ladder.last(warning=alert.warns)
    if step is None:
        return
    now = await database_time(session)
    people = await people_of_the_shop(session, at=now)
    reached = 0
    owner_id = await owner_of(session, alert)
    for agent_id in await who_is_told(session, step, people, alert.ticket_id, owner_id=owner_id):
        notice = Notice(
            id=new_id(), agent_id=agent_id, event_seq=event.seq, alert_id=alert.id, ticket_id=alert.ticket_id,
            level=step.level, rung=rung, created_at=now,
        )  # fmt: skip
        reached += await _ring(session, notice, alert, ladder, step.ways, at=now)
    if reached or await tell_next(
        session, alert, step.ways, rung=rung, level=step.level, event_seq=event.seq, at=now
    ):
        return
    if alert.warns:
        await _mail_who_is_quiet(session, event, at=now)


async def _mail_who_is_quiet(session: AsyncSession, event: Event, *, at: datetime) -> None:
    """The first whose quiet hours it has found: a warning climbs no further, and no digest tells of it."""
    notice = await session.scalar(
        select(Notice)
        .where(
            Notice.alert_id == event.alert_id, Notice.event_seq == event.seq, Notice.because == Silence.QUIET
        )
        .order_by(Notice.id)
        .limit(1)
    )
    if notice:
        notice.state, notice.because = NoticeState.TRYING, None
        preferences = await preferences_of(session, notice.agent_id)
        await _begin(session, notice, preferences, (Way.EMAIL,), at=at)


async def _ring(
    session: AsyncSession,
    notice: Notice,
    alert: Alert,
    ladder: Ladder,
    ways: Collection[Way],
    *,
    at: datetime,
) -> bool:
    """Rings the person, or writes down why not: false only for who does not want to be rung now."""
    agent = await session.get_one(Agent, notice.agent_id)
    preferences = await preferences_of(session, agent.id)
    silence = preferences.silence(
        alert.kind, notice.level, is_top=ladder.is_top(notice.level), zone=agent.timezone, at=at
    )
    if silence:
        notice.end(NoticeState.SILENCED, silence)
        session.add(notice)
        return False
    await _begin(session, notice, preferences, ways, at=at)
    return True


async def _begin(
    session: AsyncSession,
    notice: Notice,
    preferences: AlertPreferences,
    ways: Collection[Way],
    *,
    at: datetime,
) -> None:
    if preferences.group_storms and await _is_storm(session, notice, at=at):
        await _fold(session, notice, ways, at=at)
    else:
        await notices.begin(session, notice, ways, at=at)


async def tell_next(
    session: AsyncSession,
    alert: Alert,
    ways: Collection[Way],
    *,
    rung: int,
    level: int,
    event_seq: int | None,
    at: datetime,
) -> bool:
    """The next person who has not been told of this step, by its ways; false when everybody has."""
    people, concern = await people_of_the_shop(session, at=at), await concern_of(session, alert.ticket_id)
    told = set(
        await session.scalars(
            select(Notice.agent_id).where(Notice.alert_id == alert.id, Notice.event_seq == event_seq)
        )
    )
    ladder = await ladder_of(session, alert)
    while agent_id := next_after(told, people, concern):
        told.add(agent_id)
        notice = Notice(
            id=new_id(), agent_id=agent_id, event_seq=event_seq, alert_id=alert.id, ticket_id=alert.ticket_id,
            level=level, rung=rung, created_at=at,
        )  # fmt: skip
        if await _ring(session, notice, alert, ladder, ways, at=at):
            return True
    return False


async def _is_storm(session: AsyncSession, notice: Notice, *, at: datetime) -> bool:
    """Were there so many before this one?"""
    recent = await session.scalars(
        select(Notice.id)
        .where(
            Notice.agent_id == notice.agent_id,
            Notice.id != notice.id,
            Notice.kind == NoticeKind.ALERT,
            Notice.state != NoticeState.SILENCED,
            Notice.created_at > at - STORM_WITHIN,
        )
        .limit(STORM)
    )
    return len(recent.all()) == STORM


async def _fold(session: AsyncSession, notice: Notice, ways: Collection[Way], *, at: datetime) -> None:
    """Into the storm that was told last, unless that was long ago or is over. It goes by every way that one of them asks for."""
    storm = await session.scalar(
        select(Notice)
        .where(
            Notice.agent_id == notice.agent_id,
            Notice.kind == NoticeKind.STORM,
            Notice.state != NoticeState.OVER,
            Notice.created_at > at - STORM_AGAIN,
        )
        .order_by(Notice.created_at.desc())
        .limit(1)
        .with_for_update()
    )
    if storm is None:
        storm = Notice(
            id=new_id(), agent_id=notice.agent_id, kind=NoticeKind.STORM, count=0, level=notice.level,
            created_at=at,
        )  # fmt: skip
        await notices.begin(session, storm, ways, at=at)
    else:
        await notices.begin_by(session, storm, ways, at=at)
    storm.count += 1
    storm.level = max(storm.level, notice.level)
    notice.end(NoticeState.FOLDED)
    notice.folded_into_id = storm.id
    session.add(notice)
