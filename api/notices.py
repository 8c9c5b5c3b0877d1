"""Devices that are rung, and the ledger: what became of each push."""

import uuid
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

import strawberry
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts import Alert, alerts_where
from api.context import Info, Reading, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from api.selection import wanted
from domain import alerts, notices
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json, one_of
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.notices import DeliveryStage, Transport

strawberry.enum(Transport, name="PushTransport")
strawberry.enum(DeliveryStage, name="PushState")


@strawberry.type(description="A phone that can be rung.")
class Device(Node):
    label: str
    transport: Transport
    last_seen_at: datetime
    healthy: bool = strawberry.field(description="False once the push service said that it is gone.")


@strawberry.type(description="One notice tried on one device: the ledger's row.")
class Delivery(Node):
    alert: Alert | None
    device: Device
    state: DeliveryStage
    created_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    provider_id: str | None
    error: str | None
    attempts: int
    alert_id: strawberry.Private[uuid.UUID | None]


def _device(row: Any) -> Device:
    return plain(
        Device,
        {
            "id": public_id("Device", row.id),
            "label": row.label,
            "transport": row.transport,
            "last_seen_at": row.last_seen_at,
            "healthy": row.removed_at is None,
        },
    )


async def devices_of(reading: Reading) -> list[Device]:
    """One's own."""
    device = notices.Device
    rows = await reading.connection.execute(
        select(device.__table__)
        .where(may_see(device, reading.actor), device.removed_at.is_(None))
        .order_by(device.last_seen_at.desc())
        .limit(100)
    )
    return [_device(row) for row in rows]


async def _push_health(info: Info, alert_id: strawberry.ID | None = None, first: int = 50) -> list[Delivery]:
    mine = notices.Notice.agent_id == info.context.actor.id
    condition = notices.Notice.alert_id == row_id("Alert", alert_id, field="alertId") if alert_id else mine
    async with info.context.reading() as reading:
        return await _deliveries(info, reading, condition, page_size(first))


async def _deliveries(
    info: Info, reading: Reading, condition: ColumnElement[bool], limit: int
) -> list[Delivery]:
    delivery, device, selection = notices.Delivery, notices.Device, wanted(info)
    rows = await reading.connection.execute(
        select(delivery.__table__, notices.Notice.alert_id, notices.Notice.agent_id)
        .join_from(delivery.__table__, notices.Notice, notices.Notice.id == delivery.__table__.c.notice_id)
        .where(condition, may_see(notices.Notice, reading.actor))
        .order_by(delivery.created_at.desc(), delivery.id.desc())
        .limit(limit)
    )
    found = rows.all()
    device_rows = await reading.connection.execute(
        select(device.__table__).where(one_of(device.id, [row.device_id for row in found]))
    )
    devices = {row.id: _device(row) for row in device_rows}
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
                "device": devices[row.device_id],
                "state": row.stage,
                "created_at": row.created_at,
                "sent_at": row.sent_at,
                "accepted_at": row.accepted_at,
                "provider_id": row.provider_id,
                "error": row.error or row.last_error,
                "attempts": row.attempts,
            },
        )
        for row in found
    ]


@strawberry.input(description="`handle`: the FCM registration token or installation id.")
class DeviceRegisterInput:
    transport: Transport
    handle: str
    label: str
    locale: str
    timezone: str
    client_mutation_id: strawberry.ID


@strawberry.type
class DevicePayload:
    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _device_register(info: Info, input: DeviceRegisterInput) -> DevicePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if input.timezone not in available_timezones():
            raise InvalidInput(N_("There is no such time zone."), field=["timezone"])
        device_id = await notices.register_device(
            session,
            owner=actor,
            transport=input.transport,
            handle=input.handle,
            label=input.label,
            locale=input.locale,
            timezone=input.timezone,
            at=now,
        )
        return {"device": str(device_id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        rows = await reading.connection.execute(
            select(notices.Device.__table__).where(
                notices.Device.id == uuid.UUID(done["device"]), may_see(notices.Device, reading.actor)
            )
        )
        row = rows.one_or_none()
    return DevicePayload(device=_device(row) if row else None)


@strawberry.type
class NoticeQueries:
    push_health: list[Delivery] = strawberry.field(
        resolver=_push_health,
        description="What became of each push to my devices, newest first, at most 100; managers may ask for an alert's.",
    )


@strawberry.type
class NoticeMutations:
    device_register: DevicePayload = mutation(resolver=_device_register)
