"""Phones and browsers that ring: registering, trying and removing them."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.alerting import devices, notices
from domain.alerting.devices import RINGS, Fitness, Transport
from domain.alerting.notices import DeliveryStage, NoticeKind, NoticeState
from domain.db import Json, new_id
from domain.errors import InvalidInput, NotConfigured, NotFound
from domain.ids import public_id, row_id
from domain.languages import N_
from notifications.settings import NotificationSettings
from notifications.web_push import ENDPOINT, check_endpoint, check_keys

NEEDLESS = ("OVER", "DEVICE_REMOVED", "AGENT_LEFT")
"""Of a push that was not sent, for nobody was to be told any more: nothing is wrong with the device."""
UNTAKEN = (DeliveryStage.CREATED, DeliveryStage.SENT, DeliveryStage.FAILED)

strawberry.enum(Transport, name="PushTransport")
strawberry.enum(
    Fitness,
    name="DeviceFitness",
    description="`SILENT`: the push service took the last push a minute ago or more, and the device has not said that it "
    "showed it. An iPhone's app without a service extension never says so.",
)


@strawberry.type(description="A phone or a browser that can be rung.")
class Device(Node):
    label: str
    transport: Transport
    last_seen_at: datetime
    last_push_at: datetime | None = strawberry.field(description="That the push service took.")
    last_receipt_at: datetime | None
    last_error: str | None = strawberry.field(
        description="Why the newest push to it did not leave; null once one was accepted."
    )
    healthy: bool
    fitness: Fitness


_newest_error = (
    select(
        case(
            (
                notices.Delivery.stage.in_(UNTAKEN),
                func.coalesce(notices.Delivery.error, notices.Delivery.last_error),
            )
        )
    )
    .where(
        notices.Delivery.device_id == devices.Device.id,
        func.coalesce(notices.Delivery.error, "").not_in(NEEDLESS),
    )
    .order_by(notices.Delivery.id.desc())
    .limit(1)
    .scalar_subquery()
)


def device_rows(*which: ColumnElement[bool]) -> Select[Any]:
    """What `device_of` reads."""
    return select(devices.Device.__table__, RINGS.label("rings"), _newest_error.label("last_error")).where(
        *which
    )


def device_of(row: Any, at: datetime) -> Device:
    fitness = devices.fitness(
        last_push_at=row.last_push_at, last_receipt_at=row.last_receipt_at, at=at, rings=row.rings
    )
    return plain(
        Device,
        {
            "id": public_id("Device", row.id),
            "label": row.label,
            "transport": row.transport,
            "last_seen_at": row.last_seen_at,
            "last_push_at": row.last_push_at,
            "last_receipt_at": row.last_receipt_at,
            "last_error": row.last_error,
            "healthy": fitness in (Fitness.UNTRIED, Fitness.WELL),
            "fitness": fitness,
        },
    )


async def devices_of(reading: Reading) -> list[Device]:
    """One's own."""
    device = devices.Device
    rows = await reading.connection.execute(
        device_rows(may_see(device, reading.actor), RINGS).order_by(device.last_seen_at.desc()).limit(100)
    )
    return [device_of(row, reading.at) for row in rows]


@strawberry.input(
    description="`handle`: the FCM registration token or installation id, or the endpoint of a Web Push subscription, with "
    "its keys `p256dh` and `auth`. A handle that somebody else registered before leaves them."
)
class DeviceRegisterInput:
    transport: Transport
    handle: str
    p256dh: str | None = None
    auth: str | None = None
    label: str
    locale: str
    timezone: str | None = strawberry.field(
        default=None, deprecation_reason="Use the agent's own, as in `viewerUpdate`. Remove after 2027-05"
    )
    client_mutation_id: strawberry.ID


@strawberry.input
class DeviceInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class DevicePayload:
    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _device_register(info: Info, input: DeviceRegisterInput) -> DevicePayload:
    session_id = info.context.session_id

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if input.transport == Transport.WEB_PUSH:
            _check_endpoint(input.handle, info.context.house.pushing)
            check_keys(input.p256dh or "", input.auth or "")
        device_id = await devices.register_device(
            session,
            owner=actor,
            session_id=session_id,
            transport=input.transport,
            handle=input.handle,
            p256dh=input.p256dh,
            auth=input.auth,
            label=input.label,
            locale=input.locale,
            at=now,
        )
        if actor.agent_id:
            await notices.try_again(session, actor.agent_id, device_id)
        return {"device": str(device_id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        rows = await reading.connection.execute(
            device_rows(
                devices.Device.id == uuid.UUID(done["device"]), may_see(devices.Device, reading.actor)
            )
        )
        row = rows.one_or_none()
        return DevicePayload(device=device_of(row, reading.at) if row else None)


def _check_endpoint(url: str, pushing: NotificationSettings) -> None:
    """A refusal names the host. The rest of an endpoint is a secret."""
    try:
        check_endpoint(url, pushing)
    except InvalidInput as refusal:
        parts = ENDPOINT.fullmatch(url)
        if parts is None:
            raise
        raise InvalidInput(
            N_("Heddle sends nothing to {host}, unless HEDDLE_WEB_PUSH_HOSTS names it."),
            field=refusal.field,
            host=":".join(filter(None, (parts["host"], parts["port"]))),
        ) from None


async def _mine(session: AsyncSession, id: str, actor: Actor) -> devices.Device:
    device = await access.one(session, devices.Device, row_id("Device", id), to=actor)
    if device.removed_at:
        raise NotFound(field=["id"])
    return device


async def _device_test(info: Info, input: DeviceInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        device = await _mine(session, input.id, actor)
        if device.transport == Transport.FCM and not info.context.house.pushing.fcm_credentials:
            raise NotConfigured(setting="HEDDLE_FCM_CREDENTIALS")
        notice = notices.Notice(id=new_id(), agent_id=device.agent_id, kind=NoticeKind.TEST, created_at=now)
        notice.end(NoticeState.UNSEEN)
        session.add(notice)
        await session.flush()
        delivery = notices.deliver(session, notice, device.id, device.transport, at=now)
        return {"delivery": str(delivery.id)}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _device_remove(info: Info, input: DeviceInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        device = await _mine(session, input.id, actor)
        await devices.remove_devices(session, devices.Device.id == device.id, because="OWNER", at=now)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class DeviceMutations:
    device_register: DevicePayload = mutation(
        resolver=_device_register,
        description="It rings from now on, until it is removed or this session ends by signing out.",
    )
    device_test: OkPayload = mutation(
        resolver=_device_test,
        description="Sends it a notice now; `pushHealth` shows what became of it. `NOT_CONFIGURED`: Heddle has no "
        "credentials of Firebase.",
    )
    device_remove: OkPayload = mutation(resolver=_device_remove)
