"""What a customer writes in a ticket that somebody has, and that person has not seen yet."""

import uuid
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.alerting.alerts import Alert, AlertState
from domain.alerting.notices import Delivery, DeliveryStage, Notice, NoticeKind
from domain.desk.messages import Item
from domain.desk.tickets import Ticket
from domain.finding.conditions import HAS_UNANSWERED, UNANSWERED
from domain.working.viewing import Viewing


async def waits(session: AsyncSession, item_id: uuid.UUID) -> bool:
    """A customer's own word, and nobody has answered it yet."""
    unanswered = select(Item.id).where(Item.id == item_id, *UNANSWERED)
    return await session.scalar(unanswered) is not None


async def by_who_has_it(
    session: AsyncSession, agent_id: uuid.UUID, ticket_id: uuid.UUID | None, *, at: datetime
) -> bool:
    """The ticket is theirs, its customer waits for an answer, they do not have it open, and no alert of it rings for them."""
    open_by_them = exists().where(
        Viewing.ticket_id == Ticket.id, Viewing.agent_id == agent_id, Viewing.expires_at > at
    )
    rings = exists().where(
        Alert.ticket_id == Ticket.id,
        Alert.state == AlertState.FIRING,
        Notice.alert_id == Alert.id,
        Notice.agent_id == agent_id,
    )
    unseen = select(Ticket.id).where(
        Ticket.id == ticket_id,
        Ticket.assignee_id == agent_id,
        Ticket.spam_at.is_(None),
        HAS_UNANSWERED,
        ~open_by_them,
        ~rings,
    )
    return await session.scalar(unseen) is not None


async def is_about_to_be_told(session: AsyncSession, agent_id: uuid.UUID, ticket_id: uuid.UUID) -> bool:
    """By a push that has not left yet."""
    waiting = (
        select(Notice.id)
        .join(Delivery, Delivery.notice_id == Notice.id)
        .where(
            Notice.ticket_id == ticket_id,
            Notice.agent_id == agent_id,
            Notice.kind == NoticeKind.REPLY,
            Delivery.stage == DeliveryStage.CREATED,
        )
    )
    return await session.scalar(waiting.limit(1)) is not None
