"""Who is told what: a notice to one person, and its delivery to that person's devices, one after the other, with the ledger.

A notice tries the device that was seen last; if that does not say within a minute that it showed it, the next one; then
mail; then it is the next person's turn (`notifications/pursuit.py`). One that goes by mail only rings no device.
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.alerting.alerts import Alert, AlertState
from domain.alerting.devices import RECEIPT_WITHIN, Device, Transport, devices_to_ring
from domain.alerting.ladders import Way
from domain.db import Base, new_id, ring
from domain.work import Queue, Work

TOPIC = "notices"
"""Rung when a notice is to be looked at earlier than thought."""


class NoticeKind(StrEnum):
    ALERT = "alert"
    STORM = "storm"
    """Many alerts at once, counted."""
    DIGEST = "digest"
    """Once an hour, later once a day: alerts that nobody has answered."""
    CLEARED = "cleared"
    """What was told of is settled."""
    ASSIGNED = "assigned"
    REPLY = "reply"
    """A customer has written in a ticket of one's own."""
    CALL_RINGING = "call_ringing"
    """Somebody calls, and one could take it."""
    MENTION = "mention"
    """A note calls one."""
    WOKE = "woke"
    """A ticket of one's own has slept until now."""
    MESSAGE_FAILED = "message_failed"
    """An answer did not arrive."""
    LOW_RATING = "low_rating"
    """A customer was not satisfied."""
    TASK_DUE = "task_due"
    TASKS_TODAY = "tasks_today"
    """In the morning: how many fall due today, or are overdue."""
    TEST = "test"


class NoticeState(StrEnum):
    TRYING = "trying"
    SEEN = "seen"
    """A device of the person showed it, or the person acted."""
    UNSEEN = "unseen"
    """Everything was tried, and nothing said that it was seen."""
    SILENCED = "silenced"
    """Quiet hours, or muted: `because` says which."""
    FOLDED = "folded"
    """Part of a storm, which was told in its place."""
    OVER = "over"
    """Its alert was acknowledged or resolved first, or it is not worth telling any more."""


class DeliveryStage(StrEnum):
    CREATED = "created"
    SENT = "sent"
    """Handed to the push service, whose answer is not known."""
    ACCEPTED = "accepted"
    FAILED = "failed"
    SHOWN = "shown"
    OPENED = "opened"
    ACTED = "acted"


RECEIPTS = (DeliveryStage.SHOWN, DeliveryStage.OPENED, DeliveryStage.ACTED)
INSISTING = (
    NoticeKind.ALERT,
    NoticeKind.STORM,
    NoticeKind.DIGEST,
    NoticeKind.MENTION,
    NoticeKind.MESSAGE_FAILED,
    NoticeKind.LOW_RATING,
    NoticeKind.TASK_DUE,
)
"""They end in mail, and an alert with the next person, if nothing says that they were seen."""


TOLD_AFTER = {NoticeKind.REPLY: timedelta(seconds=10), NoticeKind.CALL_RINGING: timedelta(seconds=3)}
"""Whoever sits before the ticket, or beside the telephone, has seen or taken it by then."""


class Notice(Base):
    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("agent_id", "event_seq"),
        UniqueConstraint("agent_id", "kind", "period"),
        UniqueConstraint("agent_id", "kind", "call_id"),
        Index("ix_notice_alert", "alert_id"),
        Index("ix_notice_agent", "agent_id", "created_at"),
        Index("ix_notice_ticket", "ticket_id", postgresql_where=text("ticket_id IS NOT NULL")),
        Index("ix_notice_task", "task_id", postgresql_where=text("task_id IS NOT NULL")),
        Index("ix_notice_call", "call_id", postgresql_where=text("call_id IS NOT NULL")),
        Index("ix_notice_next", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_notice_storm", "folded_into_id", postgresql_where=text("folded_into_id IS NOT NULL")),
        Index("ix_notice_asleep", "id", postgresql_where=text("state = 'trying' AND next_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    kind: Mapped[NoticeKind] = mapped_column(default=NoticeKind.ALERT, server_default="alert")
    event_seq: Mapped[int | None] = mapped_column(BigInteger)
    """The event it tells of: one event is told to one person once."""
    period: Mapped[datetime | None]
    """The hour, or the day, of a digest: one for each."""
    alert_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("alert.id"))
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    task_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("task.id"))
    call_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("item.id"))
    level: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    rung: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    count: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    """Of the alerts it tells of."""
    ways: Mapped[list[str]] = mapped_column(default=lambda: [Way.PUSH], server_default=text("""'["push"]'"""))
    state: Mapped[NoticeState] = mapped_column(default=NoticeState.TRYING, server_default="unseen")
    because: Mapped[str | None]
    folded_into_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("notice.id"))
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    """When to look whether it was seen."""
    seen_at: Mapped[datetime | None]

    def end(self, state: NoticeState, because: str | None = None) -> None:
        self.state, self.because, self.next_at = state, because, None


class Delivery(Work, Base):
    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("notice_id", "device_id", postgresql_nulls_not_distinct=True),
        Index("ix_delivery_device", "device_id", "id"),
        Index("ix_delivery_created", "created_at", "id"),
        Index("ix_delivery_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    notice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notice.id"))
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("device.id"))
    """None: by mail."""
    transport: Mapped[Transport] = mapped_column(server_default="fcm")
    stage: Mapped[DeliveryStage]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    shown_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    acted_at: Mapped[datetime | None]
    provider_id: Mapped[str | None]
    error: Mapped[str | None]
    """Why it failed, as a code of the push service's."""

    def fail(self) -> None:
        """Unless a device has said that it has it."""
        if self.stage not in RECEIPTS:
            self.stage = DeliveryStage.FAILED

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.fail()


PUSHES = Queue(Delivery, topic="pushes", outward=True)


async def begin(session: AsyncSession, notice: Notice, ways: Collection[Way], *, at: datetime) -> None:
    """The first device; and mail as well, where the ladder says so."""
    notice.ways, notice.next_at = [], at + RECEIPT_WITHIN
    session.add(notice)
    await session.flush()
    await begin_by(session, notice, ways, at=at)
    ring(session, TOPIC)


async def begin_by(session: AsyncSession, notice: Notice, ways: Collection[Way], *, at: datetime) -> None:
    """By these ways too, as far as they are new to it."""
    new = [way for way in Way if way in ways and way not in notice.ways]
    notice.ways = [*notice.ways, *new]
    if Way.EMAIL in new and None not in await _tried(session, notice):
        send_mail(session, notice, at=at)
        await session.flush()
    if Way.PUSH in new and await try_next(session, notice, at=at):
        notice.state = NoticeState.TRYING


async def try_next(session: AsyncSession, notice: Notice, *, at: datetime) -> bool:
    """The next device, and after the last one mail; false when there is nothing left to try."""
    tried = await _tried(session, notice)
    devices = await devices_to_ring(session, notice.agent_id) if Way.PUSH in notice.ways else []
    left = [id for id in devices if id not in tried]
    if left:
        transport = await session.scalar(select(Device.transport).where(Device.id == left[0]))
        deliver(session, notice, left[0], transport or Transport.FCM, at=at)
    elif None not in tried and notice.kind in INSISTING:
        send_mail(session, notice, at=at)
    else:
        return False
    notice.next_at = at + RECEIPT_WITHIN
    ring(session, TOPIC)
    return True


async def _tried(session: AsyncSession, notice: Notice) -> set[uuid.UUID | None]:
    """Devices; None among them is mail."""
    return set(await session.scalars(select(Delivery.device_id).where(Delivery.notice_id == notice.id)))


def send_mail(session: AsyncSession, notice: Notice, *, at: datetime) -> None:
    deliver(session, notice, None, Transport.EMAIL, at=at)


def deliver(
    session: AsyncSession, notice: Notice, device_id: uuid.UUID | None, transport: Transport, *, at: datetime
) -> Delivery:
    delivery = Delivery(
        id=new_id(),
        notice_id=notice.id,
        device_id=device_id,
        transport=transport,
        stage=DeliveryStage.CREATED,
        created_at=at,
        due_at=func.now() + TOLD_AFTER.get(notice.kind, timedelta()),
    )
    session.add(delivery)
    ring(session, PUSHES.topic)
    return delivery


async def over(session: AsyncSession, alert_id: uuid.UUID) -> None:
    """Nobody needs to be told of this alert any more."""
    await session.execute(
        update(Notice)
        .where(Notice.alert_id == alert_id, Notice.state == NoticeState.TRYING)
        .values(state=NoticeState.OVER, next_at=None)
    )


async def look_again(session: AsyncSession, notice_id: uuid.UUID) -> None:
    """Something is known before the minute is over: it is the next device's turn."""
    await session.execute(
        update(Notice).where(Notice.id == notice_id, Notice.next_at.is_not(None)).values(next_at=func.now())
    )
    ring(session, TOPIC)


async def try_again(session: AsyncSession, agent_id: uuid.UUID, device_id: uuid.UUID) -> None:
    """A device has come: what rings still and was not seen by this person has another way, unless it was tried there."""
    firing = select(Alert.id).where(Alert.id == Notice.alert_id, Alert.state == AlertState.FIRING)
    tried = select(Delivery.id).where(Delivery.notice_id == Notice.id, Delivery.device_id == device_id)
    await session.execute(
        update(Notice)
        .where(
            Notice.agent_id == agent_id,
            Notice.kind == NoticeKind.ALERT,
            Notice.state == NoticeState.UNSEEN,
            Notice.ways.contains([Way.PUSH]),
            firing.exists(),
            ~tried.exists(),
        )
        .values(state=NoticeState.TRYING, next_at=func.now())
    )
    ring(session, TOPIC)


async def wait_again(session: AsyncSession) -> None:
    """What was held leaves only now: each has its minute from here."""
    waiting = update(Notice).where(Notice.next_at.is_not(None))
    await session.execute(waiting.values(next_at=func.now() + RECEIPT_WITHIN))
    ring(session, TOPIC)
