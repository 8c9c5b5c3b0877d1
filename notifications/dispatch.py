"""Writes a notice for everybody who is to be told of an event."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import who_may_see
from domain.actors import ActorKind
from domain.agents.staff import Agent
from domain.alerting import notices, unseen
from domain.alerting.alert_preferences import preferences_of
from domain.alerting.devices import devices_to_ring
from domain.alerting.ladders import Step, Told, Way
from domain.alerting.notices import Notice, NoticeKind
from domain.db import database_time, new_id
from domain.desk.messages import Message
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.feedback.requests import SurveyRequest
from domain.feedback.surveys import Survey
from notifications import alerting, clearing, ringing
from notifications.recipients import people_of_the_shop, who_is_told

NAME = "notifications"


async def dispatch(session: AsyncSession, event: Event) -> None:
    match event.kind:
        case EventKind.ALERT_FIRED | EventKind.ALERT_CLIMBED:
            await alerting.tell(session, event)
        case EventKind.ALERT_ACKED | EventKind.ALERT_SNOOZED if event.alert_id:
            await notices.over(session, event.alert_id)
        case EventKind.ALERT_RESOLVED if event.alert_id:
            await notices.over(session, event.alert_id)
            await clearing.of_alert(session, event.alert_id)
        case EventKind.TICKET_ASSIGNED:
            await _tell_assignee(session, event)
        case EventKind.MESSAGE_RECEIVED if event.item_id:
            await _tell_of_reply(session, event, event.item_id)
        case EventKind.CALL_CHANGED if event.item_id and "state" in event.data:
            await ringing.tell(session, event, event.item_id)
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


async def _tell_assignee(session: AsyncSession, event: Event) -> None:
    to: Any = event.data.get("to")
    if to is None or (event.actor_kind == ActorKind.AGENT and str(event.actor_id) == to):
        return
    now = await database_time(session)
    for agent_id in await who_may_see(session, [uuid.UUID(to)], event.ticket_id):
        await _tell(session, event, NoticeKind.ASSIGNED, agent_id, at=now)


async def _tell_of_reply(session: AsyncSession, event: Event, item_id: uuid.UUID) -> None:
    """Who has had the ticket since before, is on shift, and does not rest. Of what is about to be told, once is enough."""
    ticket = await session.get(Ticket, event.ticket_id)
    if ticket is None or ticket.assignee_id is None:
        return
    if not await unseen.waits(session, item_id) or await _was_given_since(session, event):
        return
    now = await database_time(session)
    people = await people_of_the_shop(session, at=now)
    present = [person.id for person in people if person.id == ticket.assignee_id and person.on_duty]
    for agent_id in await who_may_see(session, present, ticket.id):
        agent, preferences = await session.get_one(Agent, agent_id), await preferences_of(session, agent_id)
        if (
            preferences.replies
            and not preferences.rests(zone=agent.timezone, at=now)
            and await devices_to_ring(session, agent_id)
            and await unseen.by_who_has_it(session, agent_id, ticket.id, at=now)
            and not await unseen.is_about_to_be_told(session, agent_id, ticket.id)
        ):
            await _tell(session, event, NoticeKind.REPLY, agent_id, at=now)


async def _was_given_since(session: AsyncSession, event: Event) -> bool:
    given = (Event.ticket_id == event.ticket_id, Event.kind == EventKind.TICKET_ASSIGNED)
    return await session.scalar(select(Event.seq).where(*given, Event.seq > event.seq).limit(1)) is not None


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
        if preferences.rests(zone=agent.timezone, at=at):
            way = Way.EMAIL
    await notices.begin(session, notice, (way,), at=at)
