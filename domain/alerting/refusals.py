"""Why a notice is told no more when its turn comes: it may have waited for hours, and things go on meanwhile."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import who_may_see
from domain.agents.staff import Agent
from domain.agents.system_mail import SystemMail
from domain.alerting import unseen
from domain.alerting.alerts import Alert, AlertState
from domain.alerting.notices import Delivery, Notice, NoticeKind, NoticeState
from domain.calling import ringing
from domain.db import database_time
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket

LASTS = {
    NoticeKind.STORM: timedelta(minutes=10),
    NoticeKind.DIGEST: timedelta(hours=1),
    NoticeKind.CLEARED: timedelta(minutes=5),
    NoticeKind.ASSIGNED: timedelta(hours=1),
    NoticeKind.REPLY: timedelta(hours=1),
    NoticeKind.CALL_RINGING: timedelta(seconds=30),
    NoticeKind.MENTION: timedelta(hours=1),
    NoticeKind.WOKE: timedelta(hours=1),
    NoticeKind.MESSAGE_FAILED: timedelta(hours=12),
    NoticeKind.LOW_RATING: timedelta(hours=12),
    NoticeKind.TASK_DUE: timedelta(hours=12),
    NoticeKind.TASKS_TODAY: timedelta(hours=12),
    NoticeKind.TEST: timedelta(minutes=5),
}
"""For how long it is worth telling, by us and by the push service. An alert's notice lasts as long as the alert fires."""


class Refusal(StrEnum):
    """As the ledger has it."""

    AGENT_LEFT = "AGENT_LEFT"
    DEVICE_REMOVED = "DEVICE_REMOVED"
    OVER = "OVER"
    NOT_ALLOWED = "NOT_ALLOWED"
    """The ticket is not theirs to see any more."""


async def refusal_of(session: AsyncSession, notice: Notice, *, at: datetime) -> Refusal | None:
    """Of the notice, to whatever device."""
    agent = await session.get_one(Agent, notice.agent_id)
    if agent.left_at:
        return Refusal.AGENT_LEFT
    if await _is_over(session, notice, at=at):
        return Refusal.OVER
    if not await who_may_see(session, [agent.id], notice.ticket_id):
        return Refusal.NOT_ALLOWED
    return None


async def refusal_of_mail(session: AsyncSession, mail: SystemMail) -> Refusal | None:
    """Of what the relay did not take for a while. Only a digest grows old by that: the next one comes."""
    if mail.delivery_id is None:
        return None
    brings = select(Notice).join(Delivery, Delivery.notice_id == Notice.id)
    notice = (await session.scalars(brings.where(Delivery.id == mail.delivery_id))).one()
    is_digest = notice.kind == NoticeKind.DIGEST
    return await refusal_of(
        session, notice, at=await database_time(session) if is_digest else mail.created_at
    )


async def _is_over(session: AsyncSession, notice: Notice, *, at: datetime) -> bool:
    if notice.kind in LASTS and at > notice.created_at + LASTS[notice.kind]:
        return True
    match notice.kind:
        case NoticeKind.ALERT:
            if notice.state == NoticeState.OVER:  # it may fire anew, which is told anew
                return True
            fires = select(Alert.id).where(Alert.id == notice.alert_id, Alert.state == AlertState.FIRING)
            return await session.scalar(fires) is None
        case NoticeKind.STORM:
            fires = (
                select(Alert.id)
                .join(Notice, Notice.alert_id == Alert.id)
                .where(Notice.folded_into_id == notice.id, Alert.state == AlertState.FIRING)
                .limit(1)
            )
            return await session.scalar(fires) is None
        case NoticeKind.ASSIGNED | NoticeKind.WOKE:
            has_it = select(Ticket.id).where(
                Ticket.id == notice.ticket_id, Ticket.assignee_id == notice.agent_id
            )
            return await session.scalar(has_it) is None
        case NoticeKind.REPLY:
            return not await unseen.by_who_has_it(session, notice.agent_id, notice.ticket_id, at=at)
        case NoticeKind.CALL_RINGING:
            return notice.agent_id not in await ringing.whose(session, notice.call_id, at=at)
        case NoticeKind.TASK_DUE:
            due = select(Task.id).where(Task.id == notice.task_id, Task.done_at.is_(None))
            return await session.scalar(due) is None
        case (
            NoticeKind.MENTION
            | NoticeKind.MESSAGE_FAILED
            | NoticeKind.LOW_RATING
            | NoticeKind.TASKS_TODAY
            | NoticeKind.DIGEST
            | NoticeKind.CLEARED
            | NoticeKind.TEST
        ):
            return False
        case _:
            assert_never(notice.kind)
