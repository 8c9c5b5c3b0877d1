"""What a manager must know now, and the ledger of who was told and what became of it."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import of_each, page_size
from api.selection import Selection, wanted
from api.staff import Agent, agents_by_id
from domain import access, alerts
from domain.access import may_see
from domain.actors import Actor
from domain.alerts import AlertKind, AlertState
from domain.db import Json, one_of
from domain.ids import public_id, row_id

if TYPE_CHECKING:
    from api.tickets import Ticket

strawberry.enum(AlertKind)
strawberry.enum(AlertState)


@strawberry.type(description="Something a manager must know now.")
class Alert(Node):
    kind: AlertKind
    state: AlertState
    level: int
    fired_at: datetime
    acked_by: Agent | None
    acked_at: datetime | None
    resolved_at: datetime | None
    ticket: Annotated["Ticket", strawberry.lazy("api.tickets")] | None
    row_id: strawberry.Private[uuid.UUID]
    ticket_id: strawberry.Private[uuid.UUID]
    acked_by_id: strawberry.Private[uuid.UUID | None]


NEWEST = (alerts.Alert.fired_at.desc(), alerts.Alert.id.desc())


async def alerts_where(
    reading: Reading, *conditions: ColumnElement[bool], selection: Selection, limit: int | None = None
) -> list[Alert]:
    """What this person sees, newest first."""
    return await _load(reading, _seen(reading, *conditions).order_by(*NEWEST).limit(limit), selection)


async def newest_alerts(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Alert]:
    """By ticket, of those that are not resolved."""
    alert = alerts.Alert
    query = _seen(reading, one_of(alert.ticket_id, ticket_ids), alert.state != AlertState.RESOLVED)
    newest = of_each(query, alert.ticket_id, *NEWEST, most=1)
    return {alert.ticket_id: alert for alert in await _load(reading, newest, selection)}


def _seen(reading: Reading, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(alerts.Alert.__table__).where(may_see(alerts.Alert, reading.actor), *conditions)


async def _load(reading: Reading, query: Select[Any], selection: Selection) -> list[Alert]:
    rows = await reading.connection.execute(query)
    found = [
        plain(
            Alert,
            {
                "id": public_id("Alert", row.id),
                "row_id": row.id,
                "ticket_id": row.ticket_id,
                "acked_by_id": row.acked_by_id,
                "kind": row.kind,
                "state": row.state,
                "level": row.level,
                "fired_at": row.fired_at,
                "acked_at": row.acked_at,
                "resolved_at": row.resolved_at,
            },
        )
        for row in rows
    ]
    if "ackedBy" in selection:
        agents = await agents_by_id(reading, [alert.acked_by_id for alert in found])
        for alert in found:
            alert.acked_by = agents.get(alert.acked_by_id)
    if "ticket" in selection and found:
        from api.tickets import tickets_by_id

        tickets = await tickets_by_id(reading, {alert.ticket_id for alert in found}, selection["ticket"])
        for alert in found:
            alert.ticket = tickets.get(alert.ticket_id)
    return found


async def _alerts(info: Info, states: list[AlertState] | None = None, first: int = 25) -> list[Alert]:
    asked = states if states is not None else [AlertState.FIRING]
    async with info.context.reading() as reading:
        return await alerts_where(
            reading, alerts.Alert.state.in_(asked), selection=wanted(info), limit=page_size(first)
        )


async def _alert(info: Info, id: strawberry.ID) -> Alert | None:
    asked = row_id("Alert", id)
    async with info.context.reading() as reading:
        found = await alerts_where(reading, alerts.Alert.id == asked, selection=wanted(info))
        return found[0] if found else None


@strawberry.input
class AlertAckInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type(description="`applied` false: the alert had moved on already; `alert` is what it is now.")
class AlertPayload:
    alert: Alert | None = None
    applied: bool = False
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _alert_ack(info: Info, input: AlertAckInput) -> AlertPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        alert = await access.one(session, alerts.Alert, row_id("Alert", input.id), to=actor, lock=True)
        return {"alert": str(alert.id), "applied": alert.acknowledge(by=actor, at=now)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        found = await alerts_where(
            reading, alerts.Alert.id == uuid.UUID(done["alert"]), selection=wanted(info).below("alert")
        )
    return AlertPayload(alert=found[0] if found else None, applied=done["applied"])


@strawberry.type
class AlertQueries:
    alerts: list[Alert] = strawberry.field(
        resolver=_alerts,
        description="Newest first; those that fire unless other states are asked for; at most 100.",
    )
    alert: Alert | None = strawberry.field(resolver=_alert)


@strawberry.type
class AlertMutations:
    alert_ack: AlertPayload = mutation(resolver=_alert_ack)
