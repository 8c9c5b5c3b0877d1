"""What a manager must know now: why, who should do what about it, and who has."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, case, exists, select

from api.agents.staff import Agent, agents_by_id, agents_where
from api.alerting.alert_history import AlertEvent, histories_of
from api.context import Info, Part, Reading, fill, plain
from api.node import Node
from api.paging import of_each, page_size
from api.selection import Selection, wanted
from api.sla.policies import LadderTells
from api.sla.sla import Clock, clocks_by_id
from api.ways_in.channels import Channel, channels_by_id
from domain.access import may_see, sight
from domain.actors import Actor, Role
from domain.agents import staff
from domain.alerting import alerts, causes
from domain.alerting.alerts import UNRESOLVED, AlertKind, AlertState
from domain.alerting.causes import AlertCause, NextAction
from domain.alerting.ladders import Step, Told
from domain.assigning import candidates
from domain.db import one_of, one_of_given
from domain.gathering import gathered
from domain.ids import public_id, row_id
from domain.languages import translate
from domain.sla import clocks
from domain.sla.clocks import ladders_of

if TYPE_CHECKING:
    from api.desk.tickets import Ticket

strawberry.enum(AlertKind)
strawberry.enum(AlertState)
strawberry.enum(AlertCause, description="Why it came to this, as things are now.")
strawberry.enum(NextAction, description="What helps best.")


@strawberry.type(description="When it climbs next, if nobody acknowledges it.")
class EscalationStep:
    level: int
    at: datetime
    targets: list[LadderTells] = strawberry.field(
        description="Who is told then; the managers in place of admins, where there are none."
    )


@strawberry.type(description="Somebody who could take the ticket.")
class Suggestion:
    agent: Agent
    reason: str


@strawberry.type(description="Something a manager must know now.")
class Alert(Node):
    kind: AlertKind
    state: AlertState
    level: int = strawberry.field(description="0 warns, from 1 the promise is broken; it climbs.")
    fired_at: datetime = strawberry.field(description="The moment it is about.")
    acked_by: Agent | None
    acked_at: datetime | None
    ack_expires_at: datetime | None = strawberry.field(
        description="Then it fires again, if it is not resolved."
    )
    snoozed_until: datetime | None
    resolved_at: datetime | None
    next_escalation: EscalationStep | None
    cause: AlertCause
    next_action: NextAction
    clock: Clock | None = strawberry.field(description="The promise that it is about.")
    channel: Channel | None = strawberry.field(description="Which does not work, or is flooded.")
    ticket: Annotated["Ticket", strawberry.lazy("api.desk.tickets")] | None
    history: list[AlertEvent] = strawberry.field(description="Oldest first; the newest hundred.")
    row_id: strawberry.Private[uuid.UUID]
    ticket_id: strawberry.Private[uuid.UUID | None]
    clock_id: strawberry.Private[uuid.UUID | None]
    about_id: strawberry.Private[uuid.UUID | None]
    acked_by_id: strawberry.Private[uuid.UUID | None]
    next_at: strawberry.Private[datetime | None]
    rung: strawberry.Private[int]
    suggested: strawberry.Private[list[Suggestion]]

    @strawberry.field(
        description="Who could take the ticket: on shift and not away; in its team, with the skill it needs, speaking the customer's "
        "language, with the least to do; at most 10."
    )
    def suggested_assignees(self, first: int = 5) -> list[Suggestion]:
        return self.suggested[: max(first, 0)]


MOST_SUGGESTED = 10
NEWEST = (alerts.Alert.fired_at.desc(), alerts.Alert.id.desc())
PRESSING = (
    case({state: place for place, state in enumerate(UNRESOLVED)}, value=alerts.Alert.state),
    alerts.Alert.level.desc(),
    alerts.Alert.fired_at.asc(),
    alerts.Alert.id.asc(),
)


async def alerts_where(
    reading: Reading,
    *conditions: ColumnElement[bool],
    selection: Selection,
    order: Sequence[ColumnElement[Any]] = NEWEST,
    limit: int | None = None,
) -> list[Alert]:
    """What this person sees, newest first unless they are wanted in another order."""
    return await _load(reading, _seen(reading, *conditions).order_by(*order).limit(limit), selection)


async def pressing_alerts(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Alert]:
    """By ticket, of those that are not resolved."""
    found = await _load(reading, _pressing(sight(reading.actor)), selection, {"ids": list(ticket_ids)})
    return {alert.ticket_id: alert for alert in found if alert.ticket_id}


@lru_cache(1000)
def _pressing(actor: Actor) -> Select[Any]:
    alert = alerts.Alert
    seen = select(alert.__table__).where(may_see(alert, actor))
    pressing = seen.where(one_of_given(alert.ticket_id), alert.state.in_(UNRESOLVED))
    return of_each(pressing, alert.ticket_id, *PRESSING, most=1)


def _seen(reading: Reading, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(alerts.Alert.__table__).where(may_see(alerts.Alert, reading.actor), *conditions)


async def _load(
    reading: Reading, query: Select[Any], selection: Selection, values: Mapping[str, Any] | None = None
) -> list[Alert]:
    rows = await reading.connection.execute(query, values)
    found = [
        plain(
            Alert,
            {
                "id": public_id("Alert", row.id),
                "row_id": row.id,
                "ticket_id": row.ticket_id,
                "clock_id": row.clock_id,
                "about_id": row.about_id,
                "acked_by_id": row.acked_by_id,
                "next_at": row.next_at,
                "rung": row.rung,
                "kind": row.kind,
                "state": row.state,
                "level": row.level,
                "fired_at": row.fired_at,
                "acked_at": row.acked_at,
                "ack_expires_at": row.ack_expires_at,
                "snoozed_until": row.snoozed_until,
                "resolved_at": row.resolved_at,
            },
        )
        for row in rows
    ]
    if found:
        await fill(PARTS, reading, found, selection)
    return found


async def _acked_by(reading: Reading, found: list[Alert], selection: Selection) -> None:
    agents = await agents_by_id(reading, [alert.acked_by_id for alert in found], selection["ackedBy"])
    for alert in found:
        alert.acked_by = agents.get(alert.acked_by_id)


async def _ticket(reading: Reading, found: list[Alert], selection: Selection) -> None:
    from api.desk.tickets import tickets_by_id

    ids = {alert.ticket_id for alert in found if alert.ticket_id}
    tickets = await tickets_by_id(reading, ids, selection["ticket"])
    for alert in found:
        alert.ticket = tickets.get(alert.ticket_id) if alert.ticket_id else None


async def _clock(reading: Reading, found: list[Alert], selection: Selection) -> None:
    ids = {alert.clock_id for alert in found if alert.clock_id}
    promises = await clocks_by_id(reading, ids, selection["clock"])
    for alert in found:
        alert.clock = promises.get(alert.clock_id) if alert.clock_id else None


async def _channel(reading: Reading, found: list[Alert], selection: Selection) -> None:
    down = {alert.row_id: alert.about_id for alert in found if alert.kind in alerts.OF_CHANNELS}
    channels = await channels_by_id(reading, {id for id in down.values() if id}, selection["channel"])
    for alert in found:
        about = down.get(alert.row_id)
        alert.channel = channels.get(about) if about else None


async def _causes(reading: Reading, found: list[Alert], selection: Selection) -> None:
    about = {alert.row_id: (alert.kind, alert.ticket_id) for alert in found}
    why = await causes.of_alerts(reading.connection, about, at=reading.at)
    for alert in found:
        alert.cause, alert.next_action = why[alert.row_id]


async def _history(reading: Reading, found: list[Alert], selection: Selection) -> None:
    histories = await histories_of(reading, {alert.row_id: alert.fired_at for alert in found})
    for alert in found:
        alert.history = histories.get(alert.row_id, [])


async def _told(reading: Reading, ids: list[uuid.UUID]) -> list[Any]:
    return await gathered(
        *(candidates.suggested(reading.connection, id, at=reading.at, most=MOST_SUGGESTED) for id in ids)
    )


async def _suggested(reading: Reading, found: list[Alert], selection: Selection) -> None:
    ids = list({alert.ticket_id for alert in found if alert.ticket_id})
    agents, told = await gathered(agents_where(reading, staff.Agent.left_at.is_(None)), _told(reading, ids))
    by_ticket = {
        id: [
            Suggestion(agent=agents[one.agent_id], reason=translate(reading.locale, why, count=one.open))
            for one, why in some
            if one.agent_id in agents
        ]
        for id, some in zip(ids, told, strict=True)
    }
    for alert in found:
        alert.suggested = by_ticket.get(alert.ticket_id, []) if alert.ticket_id else []


async def _escalations(reading: Reading, found: list[Alert], selection: Selection) -> None:
    an_admin = exists().where(staff.Agent.role == Role.ADMIN, staff.Agent.left_at.is_(None))
    rows, has_admins = await gathered(
        reading.connection.execute(
            select(clocks.Clock.id, clocks.Clock.policy_id).where(
                one_of(clocks.Clock.id, [one.clock_id for one in found if one.clock_id])
            )
        ),
        reading.connection.scalar(select(an_admin)),
    )
    policy_of = {row.id: row.policy_id for row in rows}
    ladders_by_policy = await ladders_of(reading.connection, set(policy_of.values()))
    for alert in found:
        ladder = ladders_by_policy[policy_of.get(alert.clock_id) if alert.clock_id else None]
        step = ladder.step(alert.rung + 1, warning=alert.kind in alerts.WARNINGS)
        climbs = alert.state == AlertState.FIRING and alert.next_at and step
        alert.next_escalation = (
            EscalationStep(level=step.level, at=alert.next_at, targets=_who(step, bool(has_admins)))
            if climbs and step and alert.next_at
            else None
        )


PARTS: dict[str, Part[Alert]] = {
    "ackedBy": _acked_by,
    "ticket": _ticket,
    "clock": _clock,
    "channel": _channel,
    "cause": _causes,
    "nextAction": _causes,
    "history": _history,
    "suggestedAssignees": _suggested,
    "nextEscalation": _escalations,
}


def _who(step: Step, has_admins: bool) -> list[Told]:
    """Where a step names the admins alone and there are none, whoever manages is told."""
    if step.tell == (Told.ADMINS,) and not step.agents and not has_admins:
        return [Told.MANAGERS]
    return list(step.tell)


async def _alerts(info: Info, states: list[AlertState] | None = None, first: int = 25) -> list[Alert]:
    asked = states if states is not None else [AlertState.FIRING]
    async with info.context.reading() as reading:
        return await alerts_where(
            reading,
            alerts.Alert.state.in_(asked),
            selection=wanted(info),
            order=NEWEST if AlertState.RESOLVED in asked else PRESSING,
            limit=page_size(first),
        )


async def _alert(info: Info, id: strawberry.ID) -> Alert | None:
    asked = row_id("Alert", id)
    async with info.context.reading() as reading:
        found = await alerts_where(reading, alerts.Alert.id == asked, selection=wanted(info))
        return found[0] if found else None


@strawberry.type
class AlertQueries:
    alerts: list[Alert] = strawberry.field(
        resolver=_alerts,
        description="Those that fire unless other states are asked for; at most 100. What fires before what somebody has, the "
        "highest level first, then what has fired for longest; with resolved ones all are told newest first.",
    )
    alert: Alert | None = strawberry.field(resolver=_alert)
