"""Writes a notice for everybody who is to be told of an event."""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import who_may_see
from domain.actors import ActorKind
from domain.agents.staff import Agent
from domain.alerting import notices
from domain.alerting.alert_preferences import AlertPreferences, Silence, preferences_of
from domain.alerting.alerts import UNRESOLVED, Alert, AlertKind, AlertState
from domain.alerting.devices import Transport
from domain.alerting.ladders import Ladder, Step, Told, Way
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.complaints.complaints import complaint_of
from domain.db import database_time, new_id
from domain.desk.messages import Message
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.feedback.requests import SurveyRequest
from domain.feedback.surveys import Survey
from domain.sla.clocks import ladder_of
from notifications.recipients import concern_of, next_after, people_of_the_shop, who_is_told

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
        case EventKind.TICKET_WOKE:
            await _tell_who_has_it(session, event)
        case EventKind.NOTE_ADDED if event.data.get("mentioned"):
            await _tell_of_mention(session, event)
        case EventKind.MESSAGE_FAILED if event.item_id:
            await _tell_of_failure(session, event, event.item_id)
        case EventKind.FEEDBACK_GIVEN if event.data["turned_low"]:
            await _tell_of_low_rating(session, event)
        case EventKind.TASK_DUE if event.task_id:
            await _tell_of_task(session, event, event.task_id)
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
    people = await people_of_the_shop(session, at=now)
    rung = int(event.data.get("rung", 0))
    reached = 0
    owner_id = await _owner_of(session, alert)
    for agent_id in await who_is_told(session, step, people, alert.ticket_id, owner_id=owner_id):
        notice = Notice(
            id=new_id(), agent_id=agent_id, event_seq=event.seq, alert_id=alert.id, ticket_id=alert.ticket_id,
            level=step.level, rung=rung, created_at=now,
        )  # fmt: skip
        reached += await tell(session, notice, alert, ladder, step.ways, at=now)
    if reached or await tell_next(
        session, alert, step.ways, rung=rung, level=step.level, event_seq=event.seq, at=now
    ):
        return
    if alert.warns:
        await _mail_who_is_quiet(session, event, at=now)


async def _owner_of(session: AsyncSession, alert: Alert) -> uuid.UUID | None:
    """Of the complaint that it is about."""
    if alert.ticket_id is None or alert.kind not in (AlertKind.COMPLAINT_DUE, AlertKind.COMPLAINT_STALLED):
        return None
    complaint = await complaint_of(session, alert.ticket_id)
    return complaint.owner_id if complaint else None


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


async def tell(
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
    if preferences.group_storms and await _is_storm(session, notice.agent_id, at=at):
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
        if await tell(session, notice, alert, ladder, ways, at=at):
            return True
    return False


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


async def _clear(session: AsyncSession, alert_id: uuid.UUID) -> None:
    """Phones that showed the alert may take it away, unless another has taken its place."""
    alert, now = await session.get_one(Alert, alert_id), await database_time(session)
    open_still = (
        select(Alert.id).where(Alert.ticket_id == alert.ticket_id, Alert.state.in_(UNRESOLVED)).limit(1)
    )
    if alert.ticket_id and await session.scalar(open_still):
        return
    devices_of: dict[uuid.UUID, list[tuple[uuid.UUID | None, Transport]]] = {}
    for row in (await session.execute(notices.told_devices(alert_id))).all():
        devices_of.setdefault(row.agent_id, []).append((row.device_id, row.transport))
    for agent_id, devices in devices_of.items():
        if await notices.is_cleared(session, agent_id, alert):
            continue
        cleared = Notice(
            id=new_id(), agent_id=agent_id, kind=NoticeKind.CLEARED, alert_id=alert_id,
            ticket_id=alert.ticket_id, created_at=now,
        )  # fmt: skip
        cleared.end(NoticeState.OVER)
        session.add(cleared)
        await session.flush()
        for device_id, transport in devices:
            notices.deliver(session, cleared, device_id, transport, at=now)


async def _tell_assignee(session: AsyncSession, event: Event) -> None:
    to: Any = event.data.get("to")
    if to is None or (event.actor_kind == ActorKind.AGENT and str(event.actor_id) == to):
        return
    now = await database_time(session)
    for agent_id in await who_may_see(session, [uuid.UUID(to)], event.ticket_id):
        await _tell(session, event, NoticeKind.ASSIGNED, agent_id, at=now)


async def _tell_who_has_it(session: AsyncSession, event: Event) -> None:
    """A ticket that nobody has is in everybody's inbox again."""
    ticket, now = await session.get(Ticket, event.ticket_id), await database_time(session)
    if ticket is None or ticket.assignee_id is None or ticket.assignee_id == event.actor_id:
        return
    for agent_id in await who_may_see(session, [ticket.assignee_id], ticket.id):
        await _tell(session, event, NoticeKind.WOKE, agent_id, at=now)


async def _tell_of_mention(session: AsyncSession, event: Event) -> None:
    now, mentioned = await database_time(session), [uuid.UUID(id) for id in event.data["mentioned"]]
    for agent_id in await who_may_see(session, mentioned, event.ticket_id):
        await _tell(session, event, NoticeKind.MENTION, agent_id, at=now)


async def _tell_of_failure(session: AsyncSession, event: Event, item_id: uuid.UUID) -> None:
    """Who wrote the answer that did not arrive; where they are gone or may not see it, who has the ticket, then its team on
    shift, then who manages. Nobody of what was written by itself, or was taken back as an answer to spam."""
    message, ticket = await session.get(Message, item_id), await session.get(Ticket, event.ticket_id)
    if message is None or ticket is None or message.automatic or ticket.spam_at:
        return
    now = await database_time(session)
    people = await people_of_the_shop(session, at=now)
    here = {person.id for person in people}
    team = Step(0, 0, (Told.TEAM,))
    told: list[uuid.UUID] = []
    for named in ([message.agent_id], [ticket.assignee_id]):
        told = told or await who_may_see(session, [id for id in named if id in here], ticket.id)
    for agent_id in told or await who_is_told(session, team, people, ticket.id):
        await _tell(session, event, NoticeKind.MESSAGE_FAILED, agent_id, at=now)


async def _tell_of_low_rating(session: AsyncSession, event: Event) -> None:
    """Who has the ticket, and a manager on shift, if the shop wants it so; once, however often the customer thinks otherwise."""
    request = await session.get_one(SurveyRequest, uuid.UUID(event.data["request"]))
    if not (await session.get_one(Survey, request.survey_id)).tells_of_low:
        return
    before = select(Event.seq).where(
        Event.ticket_id == event.ticket_id,
        Event.kind == EventKind.FEEDBACK_GIVEN,
        Event.seq < event.seq,
        Event.data.contains({"request": event.data["request"], "turned_low": True}),
    )
    if await session.scalar(before.limit(1)):
        return
    now = await database_time(session)
    people = await people_of_the_shop(session, at=now)
    both = Step(0, 0, (Told.ASSIGNEE, Told.MANAGER_ON_SHIFT))
    for agent_id in await who_is_told(session, both, people, event.ticket_id):
        await _tell(session, event, NoticeKind.LOW_RATING, agent_id, at=now)


async def _tell_of_task(session: AsyncSession, event: Event, task_id: uuid.UUID) -> None:
    """Whose it is. Of one that nobody has, or whose owner is gone, the team on shift; then who made it; then who manages."""
    task = await session.get_one(Task, task_id)
    ticket = await session.get(Ticket, task.ticket_id) if task.ticket_id else None
    if task.done_at or (ticket and ticket.spam_at):
        return
    now = await database_time(session)
    for agent_id in await _whose_task_it_is(session, task, ticket, at=now):
        await _tell(session, event, NoticeKind.TASK_DUE, agent_id, at=now)


async def _whose_task_it_is(
    session: AsyncSession, task: Task, ticket: Ticket | None, *, at: datetime
) -> list[uuid.UUID]:
    people = await people_of_the_shop(session, at=at)
    team_id = task.team_id or (ticket.team_id if ticket else None)
    team = [person.id for person in people if person.on_duty and team_id in person.teams]
    here = {person.id for person in people}
    for named in ([task.assignee_id], team, [task.created_by_id]):
        if told := await who_may_see(session, [id for id in named if id in here], task.ticket_id):
            return told
    return await who_is_told(session, Step(0, 0, (Told.MANAGER_ON_SHIFT,)), people, task.ticket_id)


NOT_MAILED = (NoticeKind.ASSIGNED, NoticeKind.WOKE)
"""They are pushed whatever the hour: whoever looks into the inbox sees them there."""


async def _tell(
    session: AsyncSession, event: Event, kind: NoticeKind, agent_id: uuid.UUID, *, at: datetime
) -> None:
    """By a push; in quiet hours by mail."""
    notice = Notice(
        id=new_id(), agent_id=agent_id, kind=kind, event_seq=event.seq, ticket_id=event.ticket_id,
        task_id=event.task_id, created_at=at,
    )  # fmt: skip
    way = Way.PUSH
    if kind not in NOT_MAILED:
        agent, preferences = await session.get_one(Agent, agent_id), await preferences_of(session, agent_id)
        if preferences.silence(None, 0, is_top=True, zone=agent.timezone, at=at):
            way = Way.EMAIL
    await notices.begin(session, notice, (way,), at=at)
