"""What waits for somebody, and why it still does: what the hand-out would say of it now."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from domain.agents.staff import Agent, TeamMember
from domain.assigning.candidates import candidates, waiting
from domain.assigning.choosing import AssignmentMode, Nobody, choose
from domain.assigning.policies import Terms, terms_of
from domain.assigning.workload import COUNTS
from domain.chorus import Reads, side_by_side
from domain.db import one_of
from domain.desk.tickets import OURS, Ticket

QUEUED = and_(Ticket.assignee_id.is_(None), Ticket.status.in_(OURS), COUNTS)


async def why_waiting(
    connection: Reads, ticket_ids: Collection[uuid.UUID], *, at: datetime
) -> dict[uuid.UUID, Nobody]:
    """Of those that are queued; not of one that somebody is given as soon as its queue is looked at."""
    asked = select(Ticket.id, Ticket.team_id).where(one_of(Ticket.id, ticket_ids), QUEUED)
    queues: dict[Any, list[uuid.UUID]] = {}  # by team; what is of none too
    for row in await connection.execute(asked):
        queues.setdefault(row.team_id, []).append(row.id)
    terms = await terms_of(connection, [id for id in queues if id])
    found = await side_by_side(
        connection,
        *(
            _in_queue(connection, team_id, terms.get(team_id, Terms()), ids, at=at)
            for team_id, ids in queues.items()
        ),
    )
    return {id: why for queue in found for id, why in queue.items()}


async def _in_queue(
    connection: Reads,
    team_id: uuid.UUID | None,
    terms: Terms,
    ticket_ids: Collection[uuid.UUID],
    *,
    at: datetime,
) -> dict[uuid.UUID, Nobody]:
    if terms.mode == AssignmentMode.BY_HAND:
        return dict.fromkeys(ticket_ids, Nobody.BY_HAND)
    members = select(TeamMember.agent_id).where(TeamMember.team_id == team_id)
    queue, people = await side_by_side(
        connection,
        waiting(connection, terms, one_of(Ticket.id, ticket_ids), at=at),
        candidates(connection, team_id, terms, Agent.id.in_(members), at=at),
    )
    said = {one.ticket_id: choose(one.job, people, terms.rules, at) for one in queue}
    return {id: why for id, why in said.items() if isinstance(why, Nobody)}
