"""What devices show of something that is over is taken away, silently."""

import uuid

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.alerting import notices
from domain.alerting.alerts import UNRESOLVED, Alert
from domain.alerting.devices import Transport
from domain.alerting.notices import Delivery, DeliveryStage, Notice, NoticeKind, NoticeState
from domain.db import database_time, new_id

Rung = tuple[uuid.UUID, Transport]


async def of_alert(session: AsyncSession, alert_id: uuid.UUID) -> None:
    """It is settled; unless another has taken its place."""
    alert = await session.get_one(Alert, alert_id)
    open_still = (
        select(Alert.id).where(Alert.ticket_id == alert.ticket_id, Alert.state.in_(UNRESOLVED)).limit(1)
    )
    if alert.ticket_id and await session.scalar(open_still):
        return
    told = await _told(session, Notice.kind == NoticeKind.ALERT, Notice.alert_id == alert_id)
    for agent_id, devices in told.items():
        if not await _is_cleared(session, agent_id, alert):
            await _clear(session, agent_id, devices, alert_id=alert_id, ticket_id=alert.ticket_id)


async def of_call(session: AsyncSession, call_id: uuid.UUID, ticket_id: uuid.UUID | None) -> None:
    """It rings no more, and never will again."""
    cleared = select(Notice.id).where(Notice.call_id == call_id, Notice.kind == NoticeKind.CLEARED).limit(1)
    if await session.scalar(cleared):
        return
    told = await _told(session, Notice.kind == NoticeKind.CALL_RINGING, Notice.call_id == call_id)
    for agent_id, devices in told.items():
        await _clear(session, agent_id, devices, call_id=call_id, ticket_id=ticket_id)


async def _told(session: AsyncSession, *which: ColumnElement[bool]) -> dict[uuid.UUID, list[Rung]]:
    """The devices that have a push of these notices, by whose they are."""
    found = await session.execute(
        select(Delivery.device_id, Delivery.transport, Notice.agent_id)
        .distinct()
        .join(Notice, Notice.id == Delivery.notice_id)
        .where(
            *which,
            Delivery.device_id.is_not(None),
            Delivery.stage.not_in((DeliveryStage.CREATED, DeliveryStage.FAILED)),
        )
    )
    told: dict[uuid.UUID, list[Rung]] = {}
    for device_id, transport, agent_id in found:
        if device_id:
            told.setdefault(agent_id, []).append((device_id, transport))
    return told


async def _is_cleared(session: AsyncSession, agent_id: uuid.UUID, alert: Alert) -> bool:
    """Has this person been told already that it is settled? One word is enough for all alerts of a ticket."""
    last = await session.scalar(
        select(Notice.kind)
        .where(
            Notice.agent_id == agent_id,
            Notice.ticket_id == alert.ticket_id if alert.ticket_id else Notice.alert_id == alert.id,
            Notice.kind.in_((NoticeKind.ALERT, NoticeKind.CLEARED)),
            Notice.call_id.is_(None),
        )
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .limit(1)
    )
    return last == NoticeKind.CLEARED


async def _clear(
    session: AsyncSession, agent_id: uuid.UUID, devices: list[Rung], **about: uuid.UUID | None
) -> None:
    now = await database_time(session)
    cleared = Notice(id=new_id(), agent_id=agent_id, kind=NoticeKind.CLEARED, created_at=now, **about)
    cleared.end(NoticeState.OVER)
    session.add(cleared)
    await session.flush()
    for device_id, transport in devices:
        notices.deliver(session, cleared, device_id, transport, at=now)
