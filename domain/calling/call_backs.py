"""Who rang in vain is called back: one task for a caller, however often they ring, that is done by itself once they are answered."""

from datetime import datetime, timedelta

from sqlalchemy import ScalarResult, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.calling.call_steps import Told
from domain.db import new_id
from domain.desk.messages import Call, CallOutcome
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.languages import N_, best_language, translate
from domain.sla.hours import NeverOpen
from domain.ways_in.channels import Channel
from domain.ways_in.office_hours import hours_of

SETTLED = (CallOutcome.REACHED, CallOutcome.SOLVED, CallOutcome.WRONG_NUMBER, CallOutcome.SPAM)
"""After these nobody is to be called back."""

TITLE = N_("Call back {number}")

MINUTES = 60
SHORT_SECONDS = 5
"""Where the line's settings do not say: within how much open time, and what was too short to be meant."""


async def ask(
    session: AsyncSession, channel: Channel, call: Call, ticket: Ticket, *, by: Actor, at: datetime
) -> None:
    """For a call that was missed. The ticket is held. Nobody can call back who withheld their number, and who hung up at once
    dialled wrongly, unless a machine took the call."""
    ended_at = call.ended_at or at
    short = timedelta(seconds=channel.config.get("short_seconds", SHORT_SECONDS))
    by_machine = Told.from_json(call.steps).machine_at if call.steps else None
    if not call.number or not call.number.startswith("+") or (ended_at - call.at < short and not by_machine):
        return
    task = (await _open(session, ticket)).first()
    if task is None:
        locale = best_language(channel.config.get("language"))
        task = Task(
            id=new_id(),
            title=translate(locale, TITLE, number=call.number),
            due_at=await _due(session, channel, ended_at),
            assignee_id=ticket.assignee_id,
            ticket_id=ticket.id,
            contact_id=ticket.contact_id,
            created_at=at,
            updated_at=at,
            missed_calls=0,
            remind_minutes=0,
        )
        session.add(task)
    task.missed_calls += 1
    task.last_call_id = call.id
    task.saved(by=by, at=at, before=task.assignee_id)


async def finish(session: AsyncSession, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Nobody waits there any more."""
    for task in await _open(session, ticket):
        task.finish(True, at=at)
        task.saved(by=by, at=at, before=task.assignee_id)


async def _open(session: AsyncSession, ticket: Ticket) -> ScalarResult[Task]:
    return await session.scalars(
        select(Task)
        .where(Task.ticket_id == ticket.id, Task.missed_calls > 0, Task.done_at.is_(None))
        .order_by(Task.created_at, Task.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def _due(session: AsyncSession, channel: Channel, since: datetime) -> datetime | None:
    minutes = channel.config.get("callback_minutes", MINUTES)
    hours = await hours_of(session, channel)
    if hours is None:
        return since + timedelta(minutes=minutes)
    try:
        return hours.add(since, minutes * 60)
    except NeverOpen:
        return None
