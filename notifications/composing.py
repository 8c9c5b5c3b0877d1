"""From a delivery in the ledger to what is sent: everything it is about, its words, and the push that carries them."""

import uuid
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import assert_never

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent
from domain.alerting.alert_preferences import preferences_of
from domain.alerting.alerts import OF_CHANNELS, Alert, AlertKind, AlertState
from domain.alerting.devices import RINGS, Device
from domain.alerting.notices import Delivery, Notice, NoticeKind
from domain.alerting.refusals import LASTS, Refusal, refusal_of
from domain.complaints.complaints import Complaint
from domain.complaints.warning import promised_day
from domain.customers.contacts import Contact
from domain.db import database_time
from domain.desk.messages import Call
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ids import public_id
from domain.keys import Keys
from domain.languages import N_, translate
from domain.sla.calendars import Calendar
from domain.sla.clocks import Clock
from domain.sla.hours import Hours
from domain.sla.policies import Policy
from domain.ways_in.channels import Channel
from notifications.push import Action, Push, Urgency
from notifications.wording import Matter, Words, words

ALERT_LASTS = timedelta(minutes=15)


@dataclass(frozen=True)
class Told:
    """A delivery with all that it needs."""

    delivery_id: uuid.UUID
    kind: NoticeKind
    level: int
    count: int
    agent: Agent
    device: Device | None
    alert: Alert | None
    ticket: Ticket | None
    matter: Matter
    words: Words
    ringing: int
    """Alerts of which this person was told and that nobody has answered."""
    now: datetime
    task_id: uuid.UUID | None = None
    call_id: uuid.UUID | None = None

    @property
    def locale(self) -> str:
        return self.device.locale if self.device else self.agent.locale


async def told_by(session: AsyncSession, delivery: Delivery) -> Told | Refusal:
    """What is to be sent; or why nothing is."""
    notice, now = await session.get_one(Notice, delivery.notice_id), await database_time(session)
    if refusal := await refusal_of(session, notice, at=now):
        return refusal
    agent, device = await session.get_one(Agent, notice.agent_id), None
    if delivery.device_id:
        mine = select(Device).where(Device.id == delivery.device_id, Device.agent_id == agent.id, RINGS)
        device = await session.scalar(mine)
        if device is None:
            return Refusal.DEVICE_REMOVED
    alert = await session.get(Alert, notice.alert_id) if notice.alert_id else None
    ticket = await session.get(Ticket, notice.ticket_id) if notice.ticket_id else None
    matter, preferences = await _matter(session, alert, ticket), await preferences_of(session, agent.id)
    if notice.task_id:
        task = await session.get_one(Task, notice.task_id)
        matter = replace(matter, task=task.title, due_at=task.due_at)
    if notice.call_id:
        matter = await _called(session, notice.call_id, matter)
    said = words(
        notice.kind,
        device.locale if device else agent.locale,
        matter,
        privacy=preferences.privacy,
        now=now,
        count=notice.count,
    )
    return Told(
        delivery.id, notice.kind, notice.level, notice.count, agent, device, alert, ticket, matter, said,
        await _ringing(session, agent.id), now,
        task_id=notice.task_id, call_id=notice.call_id,
    )  # fmt: skip


async def _called(session: AsyncSession, call_id: uuid.UUID, matter: Matter) -> Matter:
    """On which line; and who has no name is known by their number."""
    called = (
        select(Channel.name, Call.number)
        .join(Channel, Channel.id == Call.channel_id)
        .where(Call.id == call_id)
    )
    name, number = (await session.execute(called)).one()
    return replace(matter, channel_name=name, customer=matter.customer or number or "")


async def _ringing(session: AsyncSession, agent_id: uuid.UUID) -> int:
    was_told = exists().where(Notice.alert_id == Alert.id, Notice.agent_id == agent_id)
    ringing = select(func.count()).select_from(Alert).where(Alert.state == AlertState.FIRING, was_told)
    return await session.scalar(ringing) or 0


async def _matter(session: AsyncSession, alert: Alert | None, ticket: Ticket | None) -> Matter:
    clock = await session.get(Clock, alert.clock_id) if alert and alert.clock_id else None
    kind = alert.kind if alert else None
    if ticket is None:
        channel = await session.get(Channel, alert.about_id) if alert and kind in OF_CHANNELS else None
        return Matter(kind, channel_name=channel.name if channel else "")
    latest = (
        select(Channel.kind)
        .join(Thread, Thread.channel_id == Channel.id)
        .where(Thread.ticket_id == ticket.id, Thread.side.is_(False))
        .order_by(Thread.last_inbound_at.desc().nulls_last())
        .limit(1)
    )
    due_at, last_day = await _due(session, alert, clock)
    return Matter(
        kind,
        number=ticket.number,
        channel=clock.channel if clock and clock.channel else await session.scalar(latest),
        metric=clock.metric if clock else None,
        due_at=due_at,
        last_day=last_day,
        customer=await session.scalar(select(Contact.name).where(Contact.id == ticket.contact_id)) or "",
        subject=ticket.subject,
    )


async def _due(
    session: AsyncSession, alert: Alert | None, clock: Clock | None
) -> tuple[datetime | None, date | None]:
    """What was promised; and the last day, of what counts in days."""
    if clock:
        return clock.due_at, await _last_day(session, clock) if clock.is_legal else None
    if alert and alert.kind == AlertKind.COMPLAINT_DUE:
        complaint = await session.get_one(Complaint, alert.about_id)
        return complaint.promised_at, await promised_day(session, complaint)
    return None, None


async def _last_day(session: AsyncSession, clock: Clock) -> date:
    """Where the promise was given, wherever it is read."""
    hours = await session.execute(
        select(Calendar.hours)
        .join(Policy, Policy.calendar_id == Calendar.id)
        .where(Policy.id == clock.policy_id)
    )
    zone = Hours.from_json(hours.scalar_one()).zone
    return (clock.due_at - timedelta(seconds=1)).astimezone(zone).date()


def push_of(told: Told, keys: Keys, base_url: str) -> Push:
    if told.device is None:
        raise ValueError("a push needs a device")
    urgency, time_to_live = _haste(told)
    return Push(
        handle=told.device.handle,
        words=told.words,
        data=_data(told, keys),
        link=link(told, keys, base_url),
        locale=told.locale,
        urgency=urgency,
        time_to_live=time_to_live,
        replaces=_replaces(told),
        actions=_actions(told),
        badge=told.ringing,
        p256dh=told.device.p256dh or "",
        auth=told.device.auth or "",
    )


def receipt_token(keys: Keys, delivery_id: uuid.UUID) -> str:
    """Whoever has the push may say what became of it."""
    return keys.sign("receipt", delivery_id)


def link(told: Told, keys: Keys, base_url: str) -> str:
    """The page that a tap opens, which knows by which delivery."""
    opened = f"#d={public_id('Delivery', told.delivery_id)}.{receipt_token(keys, told.delivery_id)}"
    if told.alert:
        return f"{base_url}/m/a/{public_id('Alert', told.alert.id)}{opened}"
    if told.ticket:
        return f"{base_url}/m/t/{public_id('Ticket', told.ticket.id)}{opened}"
    return f"{base_url}/m/alerts{opened}"


def _data(told: Told, keys: Keys) -> dict[str, str]:
    data = {
        "v": "1",
        "k": told.alert.kind.value if told.alert and told.kind == NoticeKind.ALERT else told.kind.value,
        "d": public_id("Delivery", told.delivery_id),
        "r": receipt_token(keys, told.delivery_id),
        "lvl": str(told.level),
        "c": str(told.count),
        "b": str(told.ringing),
    }
    if told.alert:
        data["a"] = public_id("Alert", told.alert.id)
    if told.ticket:
        data |= {"t": public_id("Ticket", told.ticket.id), "n": str(told.ticket.number)}
    if told.task_id:
        data["task"] = public_id("Task", told.task_id)
    if told.call_id:
        data["call"] = public_id("Call", told.call_id)
    if told.matter.due_at:
        data["due"] = told.matter.due_at.isoformat()
    return data


def _haste(told: Told) -> tuple[Urgency, timedelta]:
    match told.kind:
        case NoticeKind.ALERT if told.matter.kind == AlertKind.SLA_AT_RISK:
            left = (told.matter.due_at or told.now) - told.now
            return Urgency.NORMAL, max(left, timedelta(minutes=1))
        case NoticeKind.ALERT if told.matter.kind in (AlertKind.COMPLAINT_DUE, AlertKind.COMPLAINT_STALLED):
            return Urgency.NORMAL, timedelta(hours=12)
        case NoticeKind.ALERT if told.matter.kind in (*OF_CHANNELS, AlertKind.NO_AGENT_ON_SHIFT):
            return Urgency.HIGH, timedelta(hours=1)
        case NoticeKind.ALERT:
            return Urgency.HIGH, ALERT_LASTS
        case NoticeKind.STORM | NoticeKind.DIGEST | NoticeKind.TEST | NoticeKind.CALL_RINGING:
            return Urgency.HIGH, LASTS[told.kind]
        case (
            NoticeKind.ASSIGNED
            | NoticeKind.REPLY
            | NoticeKind.MENTION
            | NoticeKind.WOKE
            | NoticeKind.MESSAGE_FAILED
            | NoticeKind.LOW_RATING
            | NoticeKind.TASK_DUE
            | NoticeKind.TASKS_TODAY
        ):
            return Urgency.NORMAL, LASTS[told.kind]
        case NoticeKind.CLEARED:
            return Urgency.LOW, LASTS[told.kind]
        case _:
            assert_never(told.kind)


def _replaces(told: Told) -> str:
    """One notification for a ticket on a device, the newest; one for each task and each call; one for storms; one for digests."""
    if about := told.task_id or told.call_id:
        return about.hex
    if told.ticket:
        return told.ticket.id.hex
    return told.alert.id.hex if told.alert else told.kind.value


def _actions(told: Told) -> tuple[Action, ...]:
    if told.kind != NoticeKind.ALERT:
        return ()
    offered = [Action("ack", translate(told.locale, N_("Acknowledge")))]
    if told.ticket:
        offered.append(Action("take", translate(told.locale, N_("Take over"))))
    return tuple(offered)
