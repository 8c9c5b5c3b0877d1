"""Which tasks belong to somebody's day."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, select

from domain.agents.staff import Agent
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket

OPEN = Task.done_at.is_(None)
NOT_OF_SPAM = ~exists().where(Ticket.id == Task.ticket_id, Ticket.spam_at.is_not(None))
"""What is to be done about spam is nobody's work."""


def mine(agent_id: uuid.UUID | None) -> ColumnElement[bool]:
    return Task.assignee_id == agent_id


def given_away(agent_id: uuid.UUID | None) -> ColumnElement[bool]:
    """By this person, to somebody else or to nobody yet."""
    return and_(Task.created_by_id == agent_id, Task.assignee_id.is_distinct_from(agent_id))


def overdue(at: datetime) -> ColumnElement[bool]:
    return and_(OPEN, Task.due_at < at, NOT_OF_SPAM)


def today(agent_id: uuid.UUID | None, at: datetime) -> ColumnElement[bool]:
    """Due before the day is over where this person is; what is overdue as well."""
    zone = func.coalesce(select(Agent.timezone).where(Agent.id == agent_id).scalar_subquery(), "UTC")
    midnight = func.date_trunc("day", func.timezone(zone, at)) + timedelta(days=1)
    return and_(OPEN, Task.due_at < func.timezone(zone, midnight), NOT_OF_SPAM)
