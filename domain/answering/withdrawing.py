"""Taking an answer back before it leaves: the text is its writer's again, and the ticket is as it was."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import may_see
from domain.actors import Actor
from domain.answering import uploads
from domain.desk.messages import DeliveryState, Direction, Message
from domain.desk.survivors import locked
from domain.desk.tickets import OVER, Ticket, TicketStatus
from domain.errors import AlreadyLeft, NotAllowed, NotFound
from domain.events import Event, EventKind
from domain.sla import reckoning


@dataclass(frozen=True)
class Withdrawn:
    message: Message
    ticket: Ticket
    uploads: list[uuid.UUID]
    """Its files, which wait to be sent again."""


async def withdraw(session: AsyncSession, message_id: uuid.UUID, *, by: Actor, at: datetime) -> Withdrawn:
    """Of an answer nobody has taken up yet. The one update decides between us and the courier, whose claim counts
    `attempts`."""
    seen = await session.execute(
        select(Message.ticket_id, Message.agent_id)
        .join(Ticket, Ticket.id == Message.ticket_id)
        .where(Message.id == message_id, Message.direction == Direction.OUT, may_see(Ticket, by))
    )
    row = seen.one_or_none()
    if row is None:
        raise NotFound(field=["id"])
    if row.agent_id != by.agent_id and not by.manages:
        raise NotAllowed(field=["id"])
    ticket = await locked(session, row.ticket_id)
    taken_back = await session.scalars(
        update(Message)
        .where(
            Message.id == message_id,
            Message.delivery == DeliveryState.QUEUED,
            Message.due_at.is_not(None),
            Message.attempts == 0,
        )
        .values(delivery=DeliveryState.UNDONE, due_at=None)
        .returning(Message),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    message = taken_back.one_or_none()
    if message is None:
        raise AlreadyLeft(field=["id"])
    message.tell(EventKind.MESSAGE_UNDONE, by=by, at=at)
    await _put_back(session, message, ticket, by=by, at=at)
    ids = await uploads.give_back(session, message, at=at)
    await reckoning.reckon(session, ticket, by=by, at=at)
    return Withdrawn(message, ticket, ids)


async def _put_back(
    session: AsyncSession, message: Message, ticket: Ticket, *, by: Actor, at: datetime
) -> None:
    """The status from before the answer set another, unless somebody has set one since."""
    told = await session.scalar(
        select(Event.data).where(
            Event.item_id == message.id,
            Event.ticket_id == message.ticket_id,
            Event.at == message.at,
            Event.kind == EventKind.MESSAGE_QUEUED,
        )
    )
    if not told or "status" not in told:
        return
    before, after = map(TicketStatus, told["status"])
    if ticket.status != after or (ticket.undecided and before in OVER):
        return
    solved_at, snoozed_until = (told.get(name) for name in ("solved_at", "snoozed_until"))
    ticket.stand_again(
        before,
        solved_at=solved_at and datetime.fromisoformat(solved_at),
        snoozed_until=snoozed_until and datetime.fromisoformat(snoozed_until),
        by=by,
        at=at,
    )
