"""Who is told: the people a step of a ladder names, and whose turn it is next."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import who_may_see
from domain.actors import Role
from domain.agents import duty
from domain.agents.staff import Agent, TeamMember
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.ladders import Step, Told
from domain.complaints.complaints import complaint_of
from domain.desk.tickets import Ticket


@dataclass(frozen=True)
class Person:
    id: uuid.UUID
    role: Role
    teams: frozenset[uuid.UUID] = frozenset()
    on_duty: bool = True

    @property
    def manages(self) -> bool:
        return self.role in (Role.MANAGER, Role.ADMIN)


@dataclass(frozen=True)
class Concern:
    """Whose ticket it is about, if it is about one."""

    assignee_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None


def named_by(step: Step, people: Sequence[Person], concern: Concern) -> list[uuid.UUID]:
    """Everybody a step names, each once. Where it names nobody who is there, those who manage; somebody is always told."""
    named = [person.id for told in step.tell for person in _told(told, people, concern)]
    named += [person.id for person in people if person.id in step.agents]
    return list(dict.fromkeys(named)) or [person.id for person in _whoever_manages(people, concern)]


def _told(told: Told, people: Sequence[Person], concern: Concern) -> Iterable[Person]:
    match told:
        case Told.ASSIGNEE:
            present = [person for person in people if person.id == concern.assignee_id and person.on_duty]
            return present or _told(Told.MANAGER_ON_SHIFT, people, concern)
        case Told.TEAM:
            return [person for person in people if concern.team_id in person.teams and person.on_duty]
        case Told.MANAGER_ON_SHIFT:
            return _managers_on_shift(people, concern)[:1]
        case Told.MANAGERS_ON_SHIFT:
            return _managers_on_shift(people, concern)
        case Told.MANAGERS:
            return [person for person in people if person.manages]
        case Told.ADMINS:
            return [person for person in people if person.role == Role.ADMIN]
        case _:
            assert_never(told)


def _managers_on_shift(people: Sequence[Person], concern: Concern) -> list[Person]:
    """Those of the ticket's team first."""
    present = [person for person in people if person.manages and person.on_duty]
    return sorted(present, key=lambda person: concern.team_id not in person.teams)


def _whoever_manages(people: Sequence[Person], concern: Concern) -> list[Person]:
    return _managers_on_shift(people, concern) or [person for person in people if person.manages]


def next_after(told: Collection[uuid.UUID], people: Sequence[Person], concern: Concern) -> uuid.UUID | None:
    """Whose turn it is when those who were told have not seen it: a manager on shift, then any."""
    order = [*_managers_on_shift(people, concern), *(person for person in people if person.manages)]
    return next((person.id for person in order if person.id not in told), None)


async def who_is_told(
    session: AsyncSession,
    step: Step,
    people: Sequence[Person],
    ticket_id: uuid.UUID | None,
    *,
    owner_id: uuid.UUID | None = None,
) -> list[uuid.UUID]:
    """Those a step names who may see the ticket. Where it names nobody who may, those who manage. `owner_id`: whose it is in
    place of the ticket's assignee."""
    concern = await concern_of(session, ticket_id)
    concern = replace(concern, assignee_id=owner_id or concern.assignee_id)
    named = await who_may_see(session, named_by(step, people, concern), ticket_id)
    return named or [person.id for person in _whoever_manages(people, concern)]


async def concern_of(session: AsyncSession, ticket_id: uuid.UUID | None) -> Concern:
    if ticket_id is None:
        return Concern()
    ticket = await session.get_one(Ticket, ticket_id)
    return Concern(ticket.assignee_id, ticket.team_id)


async def owner_of(session: AsyncSession, alert: Alert) -> uuid.UUID | None:
    """Of the complaint that an alert is about."""
    if alert.ticket_id is None or alert.kind not in (AlertKind.COMPLAINT_DUE, AlertKind.COMPLAINT_STALLED):
        return None
    complaint = await complaint_of(session, alert.ticket_id)
    return complaint.owner_id if complaint else None


async def people_of_the_shop(session: AsyncSession, *, at: datetime) -> Sequence[Person]:
    """Asked once for a moment in a transaction: a burst tells thousands of alerts to the same few."""
    known: dict[datetime, Sequence[Person]] = session.info.setdefault("people", {})
    if at not in known:
        known[at] = await _people(session, at=at)
    return known[at]


async def _people(session: AsyncSession, *, at: datetime) -> Sequence[Person]:
    present = await duty.on_duty(session, at=at)
    teams: dict[uuid.UUID, set[uuid.UUID]] = {}
    for member in await session.scalars(select(TeamMember)):
        teams.setdefault(member.agent_id, set()).add(member.team_id)
    agents = await session.execute(
        select(Agent.id, Agent.role).where(Agent.left_at.is_(None)).order_by(Agent.created_at, Agent.id)
    )
    return [Person(row.id, row.role, frozenset(teams.get(row.id, ())), row.id in present) for row in agents]
