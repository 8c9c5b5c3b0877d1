"""Which queues are to be looked at after what has happened."""

import uuid

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import TeamMember
from domain.assigning.policies import TOPIC, AssignmentPolicy
from domain.db import one_of, ring
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind

READER = "assigning"

OF_PEOPLE = (EventKind.AGENT_CHANGED, EventKind.AGENT_PRESENCE)
OF_TICKETS = (
    EventKind.TICKET_OPENED,
    EventKind.TICKET_ASSIGNED,
    EventKind.TICKET_CHANGED,
    EventKind.TICKET_REOPENED,
    EventKind.TICKET_SNOOZED,
    EventKind.TICKET_WOKE,
    EventKind.TICKET_MERGED,
    EventKind.MOVE_UNDONE,
    EventKind.THREAD_JOINED,
    EventKind.MESSAGE_RECEIVED,
)
"""After which one may wait, or somebody may have room."""


async def listen(session: AsyncSession, event: Event) -> None:
    """The ticket's team has work, perhaps; and all teams of whoever came, or has less to do, have somebody for it."""
    if event.kind not in (*OF_PEOPLE, *OF_TICKETS):
        return
    named = [event.data.get(name) for name in ("agent", "before")]
    people = [uuid.UUID(id) for id in named if id]
    ticket = Ticket.id == event.ticket_id
    theirs = select(TeamMember.team_id).where(
        or_(
            one_of(TeamMember.agent_id, people),
            TeamMember.agent_id.in_(select(Ticket.assignee_id).where(ticket)),
        )
    )
    its = select(Ticket.team_id).where(ticket)
    await session.execute(
        update(AssignmentPolicy)
        .where(
            or_(AssignmentPolicy.team_id.in_(its), AssignmentPolicy.team_id.in_(theirs)),
            or_(AssignmentPolicy.due_at.is_(None), AssignmentPolicy.due_at > func.now()),
        )
        .values(due_at=func.now()),
        execution_options={"synchronize_session": False},
    )
    ring(session, TOPIC)
