"""Writes a notice for everybody who is to be told of an event."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import notices
from domain.actors import ActorKind
from domain.alert_preferences import preferences_of
from domain.alerts import UNRESOLVED, Alert, AlertState
from domain.clocks import ladder_of
from domain.db import database_time, new_id
from domain.events import Event, EventKind
from domain.ladders import Ladder, Way
from domain.notices import Notice, NoticeKind, NoticeState
from domain.staff import Agent
from domain.tickets import Ticket
from notifications.recipients import Concern, named_by, next_after, people_of_the_shop, who_may_see

NAME = "notifications"

STORM = 5
"""More alerts than this within the time below, for one person, are told as one."""
STORM_WITHIN = timedelta(minutes=2)
STORM_AGAIN = timedelta(minutes=5)


async def dispatch(session: AsyncSession, event: Event) -> None:
    match event.kind:
        case EventKind.ALERT_FIRED | EventKind.ALERT_CLIMBED:
            await _tell_of_alert(session, event)
        case EventKind.ALERT_ACKED | EventKind.ALERT_SNOOZED if event.alert_id:
            await notices.over(session, event.alert_id)
        case EventKind.ALERT_RESOLVED if event.alert_id:
            await notices.over(session, event.alert_id)
            await _clear(session, event.alert_id)
        case EventKind.TICKET_ASSIGNED:
            await _tell_assignee(session, event)
        case _:
            pass


async def _tell_of_alert(session: AsyncSession, event: Event) -> None:
    """Those whom the step names on which the alert stood when this happened."""
    alert = await session.get(Alert, event.alert_id)
    if alert is None or alert.state != AlertState.FIRING:
        return
    ladder = await ladder_of(session, alert)
    step = ladder.step(int(event.data.get("rung", 0)), warning=alert.warns)
    if step is None:
        return
    now = await database_time(session)
    people, concern = await people_of_the_shop(session, at=now), await concern_of(session, alert.ticket_id)
    told = await who_may_see(session, named_by(step, people, concern), alert.ticket_id)
    rung = int(event.data.get("rung", 0))
    reached = 0
    for agent_id in told:
        notice = Notice(
            id=new_id(), agent_id=agent_id, event_seq=event.seq, alert_id=alert.id, ticket_id=alert.ticket_id,
            level=step.level, rung=rung, created_at=now,
        )  # fmt: skip
        reached += await tell(session, notice, alert, ladder, step.ways, at=now)
    if not reached and told:
        await tell_next(session, alert, rung=rung, level=step.level, event_seq=event.seq, at=now)


async def tell(
    session: AsyncSession, notice: Notice, alert: Alert, ladder: Ladder, ways: Iterable[Way], *, at: datetime
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
    if preferences.group_storms and await _is_storm(session, agent.id, at=at):
        await _fold(session, notice, at=at)
    else:
        await notices.begin(session, notice, list(ways), at=at)
    return True


async def tell_next(
    session: AsyncSession, alert: Alert, *, rung: int, level: int, event_seq: int | None, at: datetime
) -> bool:
    """The next person who has not been told of this step; false when everybody has."""
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
        if await tell(session, notice, alert, ladder, (Way.PUSH,), at=at):
            return True
    return False


async def concern_of(session: AsyncSession, ticket_id: uuid.UUID | None) -> Concern:
    if ticket_id is None:
        return Concern()
    ticket = await session.get_one(Ticket, ticket_id)
    return Concern(ticket.assignee_id, ticket.team_id)


async def _is_storm(session: AsyncSession, agent_id: uuid.UUID, *, at: datetime) -> bool:
    recent = await session.scalars(
        select(Notice.id)
        .where(
            Notice.agent_id == agent_id,
            Notice.kind == NoticeKind.ALERT,
            Notice.state != NoticeState.SILENCED,
            Notice.created_at > at - STORM_WITHIN,
        )
        .limit(STORM)
    )
    return len(recent.all()) == STORM


async def _fold(session: AsyncSession, notice: Notice, *, at: datetime) -> None:
    """Into the storm that was told last, unless that was long ago."""
    storm = await session.scalar(
        select(Notice)
        .where(
            Notice.agent_id == notice.agent_id,
            Notice.kind == NoticeKind.STORM,
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
        await notices.begin(session, storm, (Way.PUSH,), at=at)
    storm.count += 1
    storm.level = max(storm.level, notice.level)
    notice.end(NoticeState.FOLDED)
    notice.folded_into_id = storm.id
    session.add(notice)


async def _clear(session: AsyncSession, alert_id: uuid.UUID) -> None:
    """Phones that showed the alert may take it away, unless another has taken its place."""
    ticket_id = select(Alert.ticket_id).where(Alert.id == alert_id).scalar_subquery()
    open_still = select(Alert.id).where(Alert.ticket_id == ticket_id, Alert.state.in_(UNRESOLVED)).limit(1)
    if await session.scalar(open_still):
        return
    for row in (await session.execute(notices.told_devices(alert_id))).all():
        if await notices.is_cleared(session, row.agent_id, row.ticket_id):
            continue
        cleared = Notice(
            id=new_id(), agent_id=row.agent_id, kind=NoticeKind.CLEARED, alert_id=alert_id,
            ticket_id=row.ticket_id, created_at=await database_time(session),
        )  # fmt: skip
        cleared.end(NoticeState.OVER)
        session.add(cleared)
        await session.flush()
        notices.deliver(session, cleared, row.device_id, row.transport, at=cleared.created_at)


async def _tell_assignee(session: AsyncSession, event: Event) -> None:
    to: Any = event.data.get("to")
    if to is None or (event.actor_kind == ActorKind.AGENT and str(event.actor_id) == to):
        return
    now = await database_time(session)
    for agent_id in await who_may_see(session, [uuid.UUID(to)], event.ticket_id):
        notice = Notice(
            id=new_id(), agent_id=agent_id, kind=NoticeKind.ASSIGNED, event_seq=event.seq,
            ticket_id=event.ticket_id, created_at=now,
        )  # fmt: skip
        await notices.begin(session, notice, (Way.PUSH,), at=now)
