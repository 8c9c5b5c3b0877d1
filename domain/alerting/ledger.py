"""The ledger: what became of each delivery, as devices, people and our own relay say it. It only goes forward."""

import uuid
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.alerting.devices import Device
from domain.alerting.notices import Delivery, DeliveryStage, Notice, NoticeState


async def receive_receipt(
    session: AsyncSession, delivery_id: uuid.UUID, stage: DeliveryStage, *, at: datetime
) -> bool:
    """What a device says it did with a push. It only goes forward: a receipt that comes late or twice changes nothing."""
    found = await session.execute(
        select(Delivery, Notice)
        .join(Notice, Notice.id == Delivery.notice_id)
        .where(Delivery.id == delivery_id)
        .with_for_update()
    )
    row = found.one_or_none()
    if row is None:
        return False
    delivery, notice = row
    _forward(delivery, stage, at)
    # By our clock: a phone's may be slow, and a receipt may have waited for a network.
    heard = update(Device).where(Device.id == delivery.device_id)
    await session.execute(heard.values(last_receipt_at=func.clock_timestamp()))
    notice.seen_at = notice.seen_at or at
    if notice.state in (NoticeState.TRYING, NoticeState.UNSEEN):
        notice.end(NoticeState.SEEN)
    return True


async def acted_on(
    session: AsyncSession, agent_id: uuid.UUID | None, alert_id: uuid.UUID, *, at: datetime
) -> None:
    """Somebody did something about an alert: whatever told them of it was read."""
    found = await session.execute(
        select(Delivery, Notice)
        .join(Notice, Notice.id == Delivery.notice_id)
        .where(
            Notice.agent_id == agent_id, Notice.alert_id == alert_id, Delivery.stage != DeliveryStage.FAILED
        )
        .order_by(Delivery.id)
        .with_for_update()
    )
    for delivery, notice in found.all():
        _forward(delivery, DeliveryStage.ACTED, at)
        notice.seen_at = notice.seen_at or at
        notice.end(NoticeState.SEEN)


def _forward(delivery: Delivery, stage: DeliveryStage, at: datetime) -> None:
    order = list(DeliveryStage)
    match stage:
        case DeliveryStage.SHOWN:
            delivery.shown_at = delivery.shown_at or at
        case DeliveryStage.OPENED:
            delivery.opened_at = delivery.opened_at or at
        case DeliveryStage.ACTED:
            delivery.acted_at = delivery.acted_at or at
        case _:
            raise ValueError(f"{stage} is no receipt")
    if order.index(stage) > order.index(delivery.stage):
        delivery.stage = stage


async def mail_left(session: AsyncSession, delivery_id: uuid.UUID, *, at: datetime) -> None:
    """Our relay took it: what the push service's yes is for a push."""
    await session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.stage == DeliveryStage.SENT)
        .values(stage=DeliveryStage.ACCEPTED, accepted_at=at)
    )


async def mail_failed(session: AsyncSession, delivery_id: uuid.UUID, *, error: str) -> None:
    """Nobody will try again."""
    failed = update(Delivery).where(Delivery.id == delivery_id, Delivery.stage == DeliveryStage.SENT)
    await session.execute(failed.values(stage=DeliveryStage.FAILED, error=error))
