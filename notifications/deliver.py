"""Carries each delivery to its device and writes the ledger."""

import structlog
from sqlalchemy import func, select, update

from domain.alerts import Alert
from domain.channels import Channel, ChannelKind
from domain.db import Database, database_time
from domain.notices import PUSHES, Delivery, DeliveryStage, Device, Notice
from domain.sla import Clock
from domain.threads import Thread
from domain.tickets import Ticket
from domain.work import Lease, TryLater, work
from notifications.fcm import Fcm
from notifications.push import Accepted, Failed, Push
from notifications.wording import words

log = structlog.get_logger()

HANDS = 4


class Pusher:
    def __init__(self, db: Database, fcm: Fcm) -> None:
        self._db = db
        self._fcm = fcm

    async def run(self) -> None:
        await work(self._db, PUSHES, self.deliver, hands=HANDS)

    async def deliver(self, delivery: Delivery, lease: Lease[Delivery]) -> None:
        push = await self._push(delivery)
        if push is None:
            await self._failed(lease, Failed("DEVICE_REMOVED", again=False))
            return
        async with self._db.transaction() as session:
            await session.execute(
                update(Delivery)
                .where(Delivery.id == delivery.id)
                .values(stage=DeliveryStage.SENT, sent_at=func.now())
            )
        match await self._fcm.send(push):
            case Accepted(provider_id=provider_id):
                async with self._db.transaction() as session:
                    await lease.settle(
                        session,
                        stage=DeliveryStage.ACCEPTED,
                        accepted_at=func.now(),
                        provider_id=provider_id,
                        error=None,
                    )
            case Failed(again=True) as failed:
                raise TryLater(failed.code, after=failed.after)
            case failed:
                await self._failed(lease, failed)

    async def _failed(self, lease: Lease[Delivery], failed: Failed) -> None:
        log.warning("push_failed", id=str(lease.id), code=failed.code)
        async with self._db.transaction() as session:
            row = await lease.settle(session, stage=DeliveryStage.FAILED, error=failed.code)
            if failed.device_gone:
                await session.execute(
                    update(Device)
                    .where(Device.id == row.device_id, Device.removed_at.is_(None))
                    .values(removed_at=await database_time(session), removed_because=failed.code)
                )

    async def _push(self, delivery: Delivery) -> Push | None:
        """What to say; none when the device is gone, or belongs to somebody else by now."""
        async with self._db.transaction() as session:
            found = await session.execute(
                select(Device, Alert, Ticket, Clock)
                .select_from(Notice)
                .join(Device, Device.agent_id == Notice.agent_id)
                .join(Alert, Alert.id == Notice.alert_id)
                .join(Ticket, Ticket.id == Alert.ticket_id)
                .join(Clock, Clock.id == Alert.clock_id)
                .where(
                    Notice.id == delivery.notice_id,
                    Device.id == delivery.device_id,
                    Device.removed_at.is_(None),
                )
            )
            row = found.one_or_none()
            if row is None:
                return None
            device, alert, ticket, clock = row
            kind = await session.scalar(
                select(Channel.kind)
                .join(Thread, Thread.channel_id == Channel.id)
                .where(Thread.ticket_id == ticket.id)
                .order_by(Thread.last_inbound_at.desc().nulls_last())
                .limit(1)
            )
            now = await database_time(session)
        said = words(
            alert.kind,
            device.locale,
            number=ticket.number,
            channel=kind or ChannelKind.EMAIL,
            due_at=clock.due_at,
            now=now,
        )
        data = {
            "v": "1",
            "k": alert.kind.value,
            "a": str(alert.id),
            "t": str(ticket.id),
            "n": str(ticket.number),
            "lvl": str(alert.level),
            "due": clock.due_at.isoformat(),
            "d": str(delivery.id),
        }
        return Push(device.handle, said, data)
