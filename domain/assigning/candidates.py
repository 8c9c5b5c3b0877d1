"""Who could have a ticket, and what a ticket asks for, read for `choosing`."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select, true

from domain.actors import Role
from domain.agents.presence import Activity, standings
from domain.agents.staff import Agent, TeamMember
from domain.assigning.choosing import Candidate, Job, best_first, levelled
from domain.assigning.handing_back import is_out_of_reach
from domain.assigning.policies import AssignmentPolicy, Terms
from domain.assigning.workload import weighed, workloads
from domain.chorus import Reads, side_by_side
from domain.customers.contacts import Contact
from domain.desk.tickets import Ticket
from domain.languages import N_
from domain.shop import agents_see_all
from domain.sla.clocks import RUNNING, Clock


@dataclass(frozen=True)
class Waiting:
    """A ticket that somebody is to have."""

    ticket_id: uuid.UUID
    job: Job


async def waiting(
    connection: Reads, terms: Terms, *which: ColumnElement[bool], at: datetime
) -> list[Waiting]:
    """What falls due first comes first; then what has waited longest."""
    tickets = weighed(*which, at=at).subquery()
    clocks = (
        select(
            Clock.ticket_id,
            func.min(Clock.due_at).label("due_at"),
            func.min(Clock.started_at).label("started_at"),
        )
        .where(Clock.ticket_id.in_(select(tickets.c.id)), RUNNING, Clock.paused_since.is_(None))
        .group_by(Clock.ticket_id)
        .subquery()
    )
    rows = await connection.execute(
        select(
            tickets, Ticket.tags, Ticket.created_at, Ticket.let_go_by_id, Contact.locale, clocks.c.started_at
        )
        .join(Ticket, Ticket.id == tickets.c.id)
        .join(Contact, Contact.id == Ticket.contact_id)
        .outerjoin(clocks, clocks.c.ticket_id == Ticket.id)
        .order_by(clocks.c.due_at.nulls_last(), Ticket.created_at, Ticket.id)
    )
    return [Waiting(row.id, _job(row, terms)) for row in rows]


def _job(row: Any, terms: Terms) -> Job:
    return Job(
        weight=row.weight,
        is_live=row.is_live,
        language=spoken(row.locale or row.channel_language) if terms.by_language else None,
        skills=terms.needs(row.tags, row.channel_ids or ()),
        waits_since=row.started_at or row.created_at,
        let_go_by=row.let_go_by_id,
    )


def spoken(locale: str | None) -> str | None:
    """Who writes `pt-BR` is answered by who speaks `pt`."""
    return (locale or "").replace("_", "-").split("-")[0].lower() or None


async def candidates(
    connection: Reads, team_id: uuid.UUID | None, terms: Terms, who: ColumnElement[bool], *, at: datetime
) -> list[Candidate]:
    """Of those agents, as they stand now."""
    belongs = exists().where(TeamMember.agent_id == Agent.id, TeamMember.team_id == team_id)
    here = (Agent.left_at.is_(None), who)
    ids = select(Agent.id).where(*here)
    rows, present, loads = await side_by_side(
        connection,
        connection.execute(
            select(
                Agent.id,
                Agent.locale,
                Agent.languages,
                Agent.skills,
                Agent.turns,
                Agent.given_at,
                belongs.label("in_team"),
            )
            .where(*here)
            .order_by(Agent.id)
        ),
        standings(connection, ids, at=at),
        workloads(connection, ids, at=at),
    )
    found = [
        Candidate(
            row.id,
            capacity=loads[row.id].capacity,
            used=loads[row.id].used,
            open=loads[row.id].open,
            languages=frozenset(filter(None, map(spoken, (row.locale, *row.languages)))),
            skills=frozenset(row.skills),
            turns=row.turns,
            given_at=row.given_at,
            in_team=row.in_team,
            on_shift=present[row.id].on_shift,
            on_screen=present[row.id].on_screen,
            away=present[row.id].away,
            reachable=not is_out_of_reach(present[row.id], terms, at=at),
            busy=present[row.id].activity != Activity.IDLE,
        )
        for row in rows
        if row.id in present and row.id in loads  # nobody left meanwhile
    ]
    return levelled(found, at)


SPEAKS = N_("On shift, speaks the language; open tickets: {count}")
ON_SHIFT = N_("On shift; open tickets: {count}")


async def suggested(
    connection: Reads, ticket_id: uuid.UUID, *, at: datetime, most: int
) -> list[tuple[Candidate, str]]:
    """Who could take it over, and a sentence why: on shift, not away or out of reach, and allowed to see it; in the order in which the
    house would choose, full or not."""
    asked = (
        select(Ticket.team_id, Ticket.assignee_id, AssignmentPolicy.terms)
        .outerjoin(AssignmentPolicy, AssignmentPolicy.team_id == Ticket.team_id)
        .where(Ticket.id == ticket_id)
    )
    ticket = (await connection.execute(asked)).one()
    terms = Terms.from_json(ticket.terms) if ticket.terms else Terms()
    others = Agent.id.is_distinct_from(ticket.assignee_id)
    found, people = await side_by_side(
        connection,
        waiting(connection, replace(terms, by_language=True), Ticket.id == ticket_id, at=at),
        candidates(connection, ticket.team_id, terms, others & _sees(ticket.team_id), at=at),
    )
    job = found[0].job if found else Job()
    there = [one for one in people if one.is_there(Job())]
    return [
        (one, SPEAKS if job.language and one.speaks(job) else ON_SHIFT)
        for one in best_first(job, there, terms.rules)[:most]
    ]


def _sees(team_id: uuid.UUID | None) -> ColumnElement[bool]:
    """As `domain/access.py` has it, of many agents at once."""
    if team_id is None:
        return true()
    members = select(TeamMember.agent_id).where(TeamMember.team_id == team_id)
    return or_(agents_see_all, Agent.role != Role.AGENT, Agent.id.in_(members))
