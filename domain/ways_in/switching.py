"""A channel is switched off, and on again. What came in before is still placed; what waits to be sent waits on."""

from datetime import datetime

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.alerting import alerts
from domain.alerting.alerts import OF_CHANNELS, Alert
from domain.db import ring
from domain.desk.messages import OUTBOX, DeliveryState, Message
from domain.ways_in.channels import TOPIC, Channel


async def switch_off(session: AsyncSession, channel: Channel, *, by: Actor, at: datetime) -> None:
    """`channel` is held by the caller."""
    if channel.disabled_at:
        return
    channel.disabled_at = at
    channel.tell(["disabled"], by=by, at=at)
    await alerts.resolve(session, Alert.kind.in_(OF_CHANNELS), Alert.about_id == channel.id, by=by, at=at)
    ring(session, TOPIC)


async def switch_on(session: AsyncSession, channel: Channel, *, by: Actor, at: datetime) -> None:
    """What waited to be sent leaves, with the queue's whole patience before it."""
    if channel.disabled_at is None:
        return
    channel.disabled_at = channel.failing_since = channel.last_error = None
    channel.tell(["enabled"], by=by, at=at)
    waiting = (
        Message.channel_id == channel.id,
        Message.delivery == DeliveryState.QUEUED,
        Message.due_at.is_not(None),
        Message.failures > 0,
    )
    anew = {"due_at": func.now(), "failures": 0, "failing_since": None}
    await session.execute(
        update(Message).where(*waiting).values(anew).execution_options(synchronize_session=False)
    )
    ring(session, OUTBOX.topic)
    ring(session, TOPIC)
