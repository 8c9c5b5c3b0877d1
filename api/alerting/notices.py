"""The ledger: what became of each push; and what a device says about it."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.devices import Device, device_of, device_rows
from api.agents.staff import Agent, agents_by_id
from api.alerting.alerts import Alert, alerts_where
from api.context import Info, Reading, plain
from api.errors import OkPayload
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from api.selection import wanted
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.agents.system_mail import Unsent, waiting_for_the_relay
from domain.alerting import alerts, devices, ledger, notices
from domain.alerting.devices import Transport
from domain.alerting.notices import RECEIPTS, DeliveryStage, NoticeKind, NoticeState
from domain.db import Json, one_of
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.languages import N_

strawberry.enum(
    DeliveryStage,
    name="PushState",
    description="`CREATED`: it has not left; of a mail, the relay has not taken it yet. `SENT`: handed to the push service, "
    "whose answer is not known. `ACCEPTED`: it took it. The last three are what the device said.",
)
strawberry.enum(NoticeKind)
strawberry.enum(
    NoticeState,
    description="`UNSEEN`: every device was tried, and mail, and nothing said that it was seen. `FOLDED`: told as part of a "
    "storm. `OVER`: its alert was acknowledged or resolved first, or it is not worth telling any more.",
)


@strawberry.type(description="What one person is told of one thing.")
class Notice:
    kind: NoticeKind
    state: NoticeState
    because: str | None = strawberry.field(description="Of one that rang nobody: `quiet` or `muted`.")
    agent: Agent
    level: int
    count: int = strawberry.field(description="Alerts it tells of.")
    seen_at: datetime | None


@strawberry.type(description="One notice tried on one device: the ledger's row.")
class Delivery(Node):
    alert: Alert | None
    notice: Notice
    transport: devices.Transport
    device: Device | None = strawberry.field(description="Null: by mail.")
    state: DeliveryStage
    created_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    shown_at: datetime | None
    opened_at: datetime | None
    acted_at: datetime | None
    provider_id: str | None
    error: str | None = strawberry.field(
        description="Why it failed, or what was said to the last try while it waits for another."
    )
    attempts: int


async def _push_health(info: Info, alert_id: strawberry.ID | None = None, first: int = 50) -> list[Delivery]:
    mine = notices.Notice.agent_id == info.context.actor.id
    condition = notices.Notice.alert_id == row_id("Alert", alert_id, field="alertId") if alert_id else mine
    async with info.context.reading() as reading:
        return await _deliveries(info, reading, condition, page_size(first))


async def _deliveries(
    info: Info, reading: Reading, condition: ColumnElement[bool], limit: int
) -> list[Delivery]:
    delivery, notice, selection = notices.Delivery, notices.Notice, wanted(info)
    rows = await reading.connection.execute(
        select(
            delivery.__table__, notice.alert_id, notice.agent_id, notice.kind, notice.state, notice.because,
            notice.level, notice.count, notice.seen_at,
        )
        .join_from(delivery.__table__, notice, notice.id == delivery.__table__.c.notice_id)
        .where(condition, may_see(notice, reading.actor))
        .order_by(delivery.created_at.desc(), delivery.id.desc())
        .limit(limit)
    )  # fmt: skip
    found = rows.all()
    devices_rung = await reading.connection.execute(
        device_rows(one_of(devices.Device.id, [row.device_id for row in found if row.device_id]))
    )
    rung = {row.id: device_of(row, reading.at) for row in devices_rung}
    agents = await agents_by_id(reading, [row.agent_id for row in found])
    queued = [row.id for row in found if (row.transport, row.stage) == (Transport.EMAIL, DeliveryStage.SENT)]
    mails = await waiting_for_the_relay(reading.connection, queued) if queued else {}
    told: dict[uuid.UUID, Alert] = {}
    if "alert" in selection:
        ids = [row.alert_id for row in found if row.alert_id]
        for alert in await alerts_where(reading, one_of(alerts.Alert.id, ids), selection=selection["alert"]):
            told[alert.row_id] = alert
    return [
        plain(
            Delivery,
            {
                "id": public_id("Delivery", row.id),
                "alert": told.get(row.alert_id),
                "notice": plain(
                    Notice,
                    {
                        "kind": row.kind,
                        "state": row.state,
                        "because": row.because,
                        "agent": agents[row.agent_id],
                        "level": row.level,
                        "count": row.count,
                        "seen_at": row.seen_at,
                    },
                ),
                "transport": row.transport,
                "device": rung.get(row.device_id),
                **_sent(row, mails.get(row.id)),
                "created_at": row.created_at,
                "accepted_at": row.accepted_at,
                "shown_at": row.shown_at,
                "opened_at": row.opened_at,
                "acted_at": row.acted_at,
                "provider_id": row.provider_id,
            },
        )
        for row in found
    ]


def _sent(row: Any, mail: Unsent | None) -> dict[str, Any]:
    """How far it came, and what kept it. A mail that our relay has not taken has not been sent."""
    if mail:
        return {"state": DeliveryStage.CREATED, "sent_at": None, "error": mail.error, "attempts": mail.tries}
    return {
        "state": row.stage,
        "sent_at": row.sent_at,
        "error": row.error or row.last_error,
        "attempts": row.attempts,
    }


@strawberry.input(
    description="`deliveryId`: `d` of the push; `at`: when it happened, for a receipt that waited until there was a network."
)
class PushReceiptInput:
    delivery_id: strawberry.ID
    event: DeliveryStage
    at: datetime
    client_mutation_id: strawberry.ID


async def _push_receipt(info: Info, input: PushReceiptInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if input.event not in RECEIPTS:
            raise InvalidInput(N_("A receipt says SHOWN, OPENED or ACTED."), field=["event"])
        delivery_id = row_id("Delivery", input.delivery_id, field="deliveryId")
        delivery = await access.one(session, notices.Delivery, delivery_id, to=actor)
        notice = await session.get_one(notices.Notice, delivery.notice_id)
        if notice.agent_id != actor.agent_id:
            raise InvalidInput(N_("That push was sent to somebody else."), field=["deliveryId"])
        await ledger.receive_receipt(session, delivery_id, input.event, at=min(input.at, now))
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class NoticeQueries:
    push_health: list[Delivery] = strawberry.field(
        resolver=_push_health,
        description="What became of each push to my devices, newest first, at most 100; managers may ask for an alert's.",
    )


@strawberry.type
class NoticeMutations:
    push_receipt: OkPayload = mutation(
        resolver=_push_receipt,
        description="What this person's device did with a push. A device without a session says it at `/push/receipt`.",
    )
