"""Carries each delivery to its device and writes the ledger."""

from collections.abc import Mapping

import structlog
from sqlalchemy import func, update

from domain.alerting import notices
from domain.alerting.devices import Device, Transport, remove_devices
from domain.alerting.notices import PUSHES, RECEIPTS, Delivery, DeliveryStage
from domain.alerting.refusals import Refusal
from domain.db import Database, database_time
from domain.hands import work
from domain.keys import Keys
from domain.work import Lease, TryLater
from notifications.composing import Told, push_of, told_by
from notifications.mail import send_by_mail
from notifications.push import Accepted, Carrier, Failed, Urgency

log = structlog.get_logger()

HANDS = 4


class Pusher:
    def __init__(
        self, db: Database, keys: Keys, base_url: str, transports: Mapping[Transport, Carrier]
    ) -> None:
        self._db = db
        self._keys = keys
        self._base_url = base_url
        self._transports = transports

    async def run(self) -> None:
        await work(self._db, PUSHES, self.deliver, hands=HANDS)

    async def deliver(self, delivery: Delivery, lease: Lease[Delivery]) -> None:
        async with self._db.transaction() as session:
            if delivery.stage in RECEIPTS:  # it was seen, though nobody has said that it was taken
                await lease.settle(session)
                return
            told = await told_by(session, delivery)
            if isinstance(told, Told) and delivery.transport == Transport.EMAIL:
                await lease.settle(session, stage=DeliveryStage.SENT, sent_at=func.now())
                send_by_mail(session, self._keys, self._base_url, told)
                return
        if isinstance(told, Refusal):
            await self._failed(lease, Failed(told, again=False))
            return
        async with self._db.transaction() as session:
            await session.execute(
                update(Delivery)
                .where(Delivery.id == delivery.id, Delivery.stage.not_in(RECEIPTS))
                .values(stage=DeliveryStage.SENT, sent_at=func.now())
            )
        push = push_of(told, self._keys, self._base_url)
        match await self._transports[delivery.transport].send(push):
            case Accepted(provider_id=provider_id):
                await self._accepted(lease, provider_id, push.urgency)
            case Failed(again=True) as failed:
                raise TryLater(failed.code, after=failed.after)
            case failed:
                await self._failed(lease, failed)

    async def _accepted(self, lease: Lease[Delivery], provider_id: str, urgency: Urgency) -> None:
        async with self._db.transaction() as session:
            row = await lease.settle(session, error=None, accepted_at=func.now(), provider_id=provider_id)
            if row.stage == DeliveryStage.SENT:  # its receipt may have been quicker
                row.stage = DeliveryStage.ACCEPTED
            if urgency != Urgency.LOW:  # what is silent need not be shown
                pushed = update(Device).where(Device.id == row.device_id)
                await session.execute(pushed.values(last_push_at=row.sent_at))

    async def _failed(self, lease: Lease[Delivery], failed: Failed) -> None:
        log.warning("push_failed", id=str(lease.id), code=failed.code)
        async with self._db.transaction() as session:
            row = await lease.settle(session, error=failed.code)
            row.fail()
            if failed.device_gone:
                now = await database_time(session)
                await remove_devices(session, Device.id == row.device_id, because=failed.code, at=now)
            await notices.look_again(session, row.notice_id)
