"""Why an alert came to be, as things are now, and what helps best."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, select

from domain.agents import duty
from domain.alerting.alerts import AlertKind
from domain.assigning.workload import chats_now
from domain.chorus import Reads, side_by_side
from domain.customers.visitors import Visitor
from domain.db import one_of
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.sla.clocks import RUNNING, Clock
from domain.ways_in.channels import Channel, ChannelKind


class AlertCause(StrEnum):
    UNASSIGNED = "unassigned"
    ASSIGNEE_OFF_SHIFT = "assignee_off_shift"
    VISITOR_WAITING = "visitor_waiting"
    """Somebody sits before the chat."""
    CALLER_WAITING = "caller_waiting"
    ASSIGNEE_BUSY = "assignee_busy"
    """The assignee is there and has not come to it."""
    CHANNEL_DOWN = "channel_down"
    CHANNEL_FLOODED = "channel_flooded"
    NOBODY_ON_SHIFT = "nobody_on_shift"


class NextAction(StrEnum):
    ASSIGN = "assign"
    HAND_OVER = "hand_over"
    TAKE_OVER = "take_over"
    CALL_BACK = "call_back"
    REMIND = "remind"
    REPAIR = "repair"
    STEM = "stem"
    """Block who floods it, or let it take in more."""
    CALL_IN = "call_in"
    """Somebody has to come."""


HELP = {
    AlertCause.UNASSIGNED: NextAction.ASSIGN,
    AlertCause.ASSIGNEE_OFF_SHIFT: NextAction.HAND_OVER,
    AlertCause.VISITOR_WAITING: NextAction.TAKE_OVER,
    AlertCause.CALLER_WAITING: NextAction.CALL_BACK,
    AlertCause.ASSIGNEE_BUSY: NextAction.REMIND,
    AlertCause.CHANNEL_DOWN: NextAction.REPAIR,
    AlertCause.CHANNEL_FLOODED: NextAction.STEM,
    AlertCause.NOBODY_ON_SHIFT: NextAction.CALL_IN,
}


def cause(
    kind: AlertKind,
    *,
    waiting: Collection[ChannelKind],
    assignee_id: uuid.UUID | None,
    on_duty: Collection[uuid.UUID],
) -> AlertCause:
    """`waiting`: where the customer waits for a reply."""
    match kind:
        case AlertKind.CHANNEL_DOWN:
            return AlertCause.CHANNEL_DOWN
        case AlertKind.CHANNEL_FLOODED:
            return AlertCause.CHANNEL_FLOODED
        case AlertKind.NO_AGENT_ON_SHIFT:
            return AlertCause.NOBODY_ON_SHIFT
        case AlertKind.CALL_MISSED:
            return AlertCause.CALLER_WAITING
        case _:
            if ChannelKind.CHAT in waiting:
                return AlertCause.VISITOR_WAITING
            if assignee_id is None:
                return AlertCause.UNASSIGNED
            if assignee_id not in on_duty:
                return AlertCause.ASSIGNEE_OFF_SHIFT
            return AlertCause.CALLER_WAITING if ChannelKind.PHONE in waiting else AlertCause.ASSIGNEE_BUSY


def best(why: AlertCause, *, on_duty: Collection[uuid.UUID]) -> NextAction:
    help = HELP[why]
    needs_somebody = help in (NextAction.ASSIGN, NextAction.HAND_OVER)
    return NextAction.CALL_IN if needs_somebody and not on_duty else help


async def of_alerts(
    connection: Reads, alerts: Mapping[uuid.UUID, tuple[AlertKind, uuid.UUID | None]], *, at: datetime
) -> dict[uuid.UUID, tuple[AlertCause, NextAction]]:
    """By alert, of its kind and its ticket."""
    ids = {ticket_id for _, ticket_id in alerts.values() if ticket_id}
    clocks = select(Clock.ticket_id, Clock.channel).where(
        one_of(Clock.ticket_id, ids), RUNNING, Clock.channel.is_not(None)
    )
    chats = (
        select(Thread.ticket_id)
        .join(Channel, Channel.id == Thread.channel_id)
        .outerjoin(Visitor, and_(Visitor.channel_id == Thread.channel_id, Visitor.key == Thread.key))
    )
    tickets, waits, live_chats, present = await side_by_side(
        connection,
        connection.execute(select(Ticket.id, Ticket.assignee_id).where(one_of(Ticket.id, ids))),
        connection.execute(clocks),
        connection.execute(chats.where(one_of(Thread.ticket_id, ids), chats_now(at))),
        duty.on_duty(connection, at=at),
    )
    assignee_of = {row.id: row.assignee_id for row in tickets}
    live = {row.ticket_id for row in live_chats}
    waiting: dict[uuid.UUID | None, set[ChannelKind]] = {}
    for row in waits:
        if row.channel != ChannelKind.CHAT or row.ticket_id in live:
            waiting.setdefault(row.ticket_id, set()).add(row.channel)
    found = {}
    for alert_id, (kind, ticket_id) in alerts.items():
        why = cause(
            kind,
            waiting=waiting.get(ticket_id, ()),
            assignee_id=assignee_of.get(ticket_id) if ticket_id else None,
            on_duty=present,
        )
        found[alert_id] = (why, best(why, on_duty=present))
    return found
