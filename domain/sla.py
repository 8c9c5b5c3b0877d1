"""Promises: a policy's targets in a calendar's hours, and the clock of one promise on one ticket."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import alerts
from domain.actors import Actor
from domain.channels import ChannelKind
from domain.db import Base, Json, new_id, ring
from domain.events import EventKind, record
from domain.hours import Hours

TOPIC = "clocks"

AT_RISK_SHARE = 0.75
AT_RISK_SECONDS = 15 * 60


class Metric(StrEnum):
    FIRST_REPLY = "first_reply"
    NEXT_REPLY = "next_reply"
    RESOLUTION = "resolution"


class ClockState(StrEnum):
    OK = "ok"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    PAUSED = "paused"
    MET = "met"


class Calendar(Base):
    __tablename__ = "calendar"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    hours: Mapped[Json]


@dataclass(frozen=True)
class Target:
    """Business seconds for a metric; for one priority or one kind of channel only, where given."""

    metric: Metric
    seconds: int
    priority: int | None = None
    channel: ChannelKind | None = None


class Policy(Base):
    __tablename__ = "policy"
    __table_args__ = (
        Index("uq_policy_default", "is_default", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    calendar_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("calendar.id"))
    is_default: Mapped[bool]
    targets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)

    def all_targets(self) -> list[Target]:
        return [
            Target(
                Metric(row["metric"]),
                row["seconds"],
                row.get("priority"),
                ChannelKind(row["channel"]) if row.get("channel") else None,
            )
            for row in self.targets
        ]


class Clock(Base):
    __tablename__ = "clock"
    __table_args__ = (
        Index("ix_clock_ticket", "ticket_id"),
        Index("ix_clock_next", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index(
            "uq_clock_running",
            "ticket_id",
            "metric",
            unique=True,
            postgresql_where=text("met_at IS NULL AND ended_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    policy_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("policy.id"))
    metric: Mapped[Metric]
    started_at: Mapped[datetime]
    target_seconds: Mapped[int] = mapped_column(Integer)
    at_risk_at: Mapped[datetime]
    due_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    """When the deadline wheel has to look at it next."""
    met_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """Taken off without being kept or broken: its ticket was merged away."""


def clock_state(
    *, at: datetime, at_risk_at: datetime, due_at: datetime, met_at: datetime | None
) -> ClockState:
    if met_at:
        return ClockState.MET
    if at >= due_at:
        return ClockState.BREACHED
    return ClockState.AT_RISK if at >= at_risk_at else ClockState.OK


def choose(targets: Iterable[Target], metric: Metric, *, priority: int, channel: ChannelKind) -> int | None:
    """Seconds of the most particular target that applies: a channel's counts before a priority's."""
    applying = [
        target
        for target in targets
        if target.metric == metric
        and target.priority in (None, priority)
        and target.channel in (None, channel)
    ]
    if not applying:
        return None
    return max(applying, key=lambda target: (target.channel is not None, target.priority is not None)).seconds


async def customer_waits(
    session: AsyncSession,
    ticket_id: uuid.UUID,
    *,
    priority: int,
    channel: ChannelKind,
    since: datetime,
    answered_at: datetime | None = None,
) -> None:
    """A customer's first word starts the promise of a first reply; an answered call keeps it at once."""
    begun = await session.scalar(
        select(Clock.id).where(Clock.ticket_id == ticket_id, Clock.metric == Metric.FIRST_REPLY).limit(1)
    )
    if begun:
        return
    found = await session.execute(
        select(Policy, Calendar).join(Calendar, Calendar.id == Policy.calendar_id).where(Policy.is_default)
    )
    policy_and_calendar = found.one_or_none()
    if policy_and_calendar is None:
        return
    policy, calendar = policy_and_calendar
    seconds = choose(policy.all_targets(), Metric.FIRST_REPLY, priority=priority, channel=channel)
    if seconds is None:
        return
    hours = Hours.from_json(calendar.hours)
    due_at = hours.add(since, seconds)
    session.add(
        Clock(
            id=new_id(),
            ticket_id=ticket_id,
            policy_id=policy.id,
            metric=Metric.FIRST_REPLY,
            started_at=since,
            target_seconds=seconds,
            due_at=due_at,
            met_at=answered_at,
            next_at=None if answered_at else due_at,
            at_risk_at=hours.add(since, int(max(seconds * AT_RISK_SHARE, seconds - AT_RISK_SECONDS))),
        )
    )
    ring(session, TOPIC)


async def answered(
    session: AsyncSession, ticket_id: uuid.UUID, contact_id: uuid.UUID, *, by: Actor, at: datetime
) -> None:
    """A person of the shop spoke to the customer: the promise of a first reply is kept, late or not."""
    kept = await session.scalars(
        update(Clock)
        .where(
            Clock.ticket_id == ticket_id,
            Clock.metric == Metric.FIRST_REPLY,
            Clock.met_at.is_(None),
            Clock.ended_at.is_(None),
        )
        .values(met_at=at, next_at=None)
        .returning(Clock.id)
    )
    for clock_id in kept.all():
        record(
            session,
            EventKind.SLA_MET,
            by=by,
            at=at,
            ticket_id=ticket_id,
            contact_id=contact_id,
            data={"clock": str(clock_id)},
        )
        await alerts.resolve(session, clock_id, at=at)


async def is_running(session: AsyncSession, ticket_id: uuid.UUID) -> bool:
    running = select(Clock.id).where(
        Clock.ticket_id == ticket_id, Clock.met_at.is_(None), Clock.ended_at.is_(None)
    )
    return await session.scalar(running.limit(1)) is not None


async def take_off(session: AsyncSession, ticket_id: uuid.UUID, *, at: datetime) -> None:
    """The ticket was closed or solved without an answer (spam, settled elsewhere): nobody is to be rung for it."""
    ended = await session.scalars(
        update(Clock)
        .where(Clock.ticket_id == ticket_id, Clock.met_at.is_(None), Clock.ended_at.is_(None))
        .values(ended_at=at, next_at=None)
        .returning(Clock.id)
    )
    for clock_id in ended.all():
        await alerts.resolve(session, clock_id, at=at)


async def follow(session: AsyncSession, ticket_id: uuid.UUID, into_id: uuid.UUID, *, at: datetime) -> None:
    """A merged ticket's running promise goes on at the survivor, unless the same is running there and falls due first."""
    running = (Clock.met_at.is_(None), Clock.ended_at.is_(None))
    theirs = {
        clock.metric: clock
        for clock in await session.scalars(select(Clock).where(Clock.ticket_id == into_id, *running))
    }
    for clock in list(await session.scalars(select(Clock).where(Clock.ticket_id == ticket_id, *running))):
        other = theirs.get(clock.metric)
        ending = clock if other and other.due_at <= clock.due_at else other
        if ending:
            ending.ended_at, ending.next_at = at, None
            await session.flush()
            await alerts.resolve(session, ending.id, at=at)
        if ending is not clock:
            clock.ticket_id = into_id
            await alerts.follow(session, clock.id, into_id)


async def set_default_policy(
    session: AsyncSession, *, name: str, hours: Hours, targets: Iterable[Target]
) -> Policy:
    """One policy and its calendar, in place of what had that name."""
    calendar = await session.scalar(select(Calendar).where(Calendar.name == name))
    if calendar is None:
        calendar = Calendar(id=new_id(), name=name, hours={})
        session.add(calendar)
    calendar.hours = hours.to_json()
    await session.execute(update(Policy).where(Policy.name != name).values(is_default=False))
    policy = await session.scalar(select(Policy).where(Policy.name == name))
    if policy is None:
        policy = Policy(id=new_id(), name=name, calendar_id=calendar.id, is_default=True, targets=[])
        session.add(policy)
    policy.is_default = True
    policy.targets = [
        {"metric": t.metric, "seconds": t.seconds, "priority": t.priority, "channel": t.channel}
        for t in targets
    ]
    await session.flush()
    return policy
