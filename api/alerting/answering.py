"""What is done about an alert. Each of these may come twice, late, or after somebody else: the answer says what is so now."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerting.alerts import Alert, alerts_where
from api.context import Info
from api.errors import UserError
from api.mutations import changed, mutation
from api.selection import wanted
from domain import access
from domain.actors import Actor
from domain.alerting import alerts, ledger
from domain.alerting.alerts import ACK_MINUTES
from domain.db import Json
from domain.ids import row_id
from domain.sla import clocks


@strawberry.input(
    description="`minutes`: how long it holds, 30 unless given, at most 480; then the alert fires again."
)
class AlertAckInput:
    id: strawberry.ID
    note: str | None = None
    minutes: int = ACK_MINUTES
    client_mutation_id: strawberry.ID


@strawberry.input(description="`until`: at most seven days ahead.")
class AlertSnoozeInput:
    id: strawberry.ID
    until: datetime
    reason: str
    client_mutation_id: strawberry.ID


@strawberry.input
class AlertEscalateInput:
    id: strawberry.ID
    note: str | None = None
    client_mutation_id: strawberry.ID


@strawberry.type(description="`applied` false: the alert had moved on already; `alert` is what it is now.")
class AlertPayload:
    alert: Alert | None = None
    applied: bool = False
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _held(session: AsyncSession, id: str, actor: Actor) -> alerts.Alert:
    return await access.one(session, alerts.Alert, row_id("Alert", id), to=actor, lock=True)


async def _alert_ack(info: Info, input: AlertAckInput) -> AlertPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        alert = await _held(session, input.id, actor)
        applied = alert.acknowledge(by=actor, at=now, minutes=input.minutes, note=input.note or "")
        await ledger.acted_on(session, actor.agent_id, alert.id, at=now)
        return {"alert": str(alert.id), "applied": applied}

    return await _payload(info, await changed(info, input, change))


async def _alert_snooze(info: Info, input: AlertSnoozeInput) -> AlertPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        alert = await _held(session, input.id, actor)
        applied = alert.snooze(by=actor, at=now, until=input.until, reason=input.reason)
        await ledger.acted_on(session, actor.agent_id, alert.id, at=now)
        return {"alert": str(alert.id), "applied": applied}

    return await _payload(info, await changed(info, input, change))


async def _alert_escalate(info: Info, input: AlertEscalateInput) -> AlertPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        alert = await _held(session, input.id, actor)
        ladder = await clocks.ladder_of(session, alert)
        applied = alert.escalate(ladder, by=actor, at=now, note=input.note or "")
        await ledger.acted_on(session, actor.agent_id, alert.id, at=now)
        return {"alert": str(alert.id), "applied": applied}

    return await _payload(info, await changed(info, input, change))


async def _payload(info: Info, done: Json) -> AlertPayload:
    async with info.context.reading() as reading:
        found = await alerts_where(
            reading, alerts.Alert.id == uuid.UUID(done["alert"]), selection=wanted(info).below("alert")
        )
    return AlertPayload(alert=found[0] if found else None, applied=done["applied"])


@strawberry.type
class AlertMutations:
    alert_ack: AlertPayload = mutation(resolver=_alert_ack)
    alert_snooze: AlertPayload = mutation(resolver=_alert_snooze)
    alert_escalate: AlertPayload = mutation(
        resolver=_alert_escalate, description="The next step at once. At the top nothing changes."
    )
