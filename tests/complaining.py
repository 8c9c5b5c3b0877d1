"""A shop that is under the laws of Poland and of Spain, and customers who complain."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.complaints import moving
from domain.complaints.complaints import Complaint
from domain.complaints.moving import NOTHING, Decision
from domain.complaints.stages import Stage
from domain.desk.survivors import locked
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.sla import calendars, policies
from domain.sla.hours import Hours
from domain.sla.templates import SUGGESTED, Template
from domain.ways_in.channels import Channel
from tests.factories import a_mail, receive, tickets

WEEK = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
POLISH_DUE = datetime(2026, 3, 16, 23, tzinfo=UTC)
"""Of a complaint of 2 March: the end of the fourteenth day after, in Warsaw."""


async def under_the_law(session: AsyncSession, *laws: Template, zone: str = "Europe/Warsaw") -> None:
    """Its templates are set up, and a shop's own promises."""
    hours = Hours.from_json({"zone": zone, "weekly": WEEK, "holidays": ["PL"]})
    shop = SUGGESTED[Template.SHOP]
    await policies.set_default_policy(session, name="Everybody", hours=hours, targets=shop.targets)
    calendar = await calendars.save_calendar(session, None, "Law", hours)
    for law in laws:
        await policies.save_policy(
            session,
            None,
            name=law,
            calendar_id=calendar.id,
            targets=SUGGESTED[law].targets,
            conditions=SUGGESTED[law].conditions,
        )


async def a_ticket(session: AsyncSession, mailbox: Channel, address: str = "ada@example.org") -> Ticket:
    await receive(session, mailbox, a_mail(address, "The kettle leaks."))
    return (await tickets(session))[-1]


async def go(
    session: AsyncSession,
    complaint: Complaint,
    stage: Stage,
    decision: Decision = NOTHING,
    *,
    by: Actor,
    at: datetime,
) -> None:
    ticket = await locked(session, complaint.ticket_id)
    await moving.advance(session, complaint, ticket, stage, decision, by=by, at=at)


async def open_tasks(session: AsyncSession, ticket: Ticket) -> list[Task]:
    found = await session.scalars(
        select(Task)
        .where(Task.ticket_id == ticket.id, Task.done_at.is_(None))
        .order_by(Task.due_at, Task.id)
        .execution_options(populate_existing=True)
    )
    return list(found)
