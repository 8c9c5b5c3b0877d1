"""Something a manager must know now: it climbs its ladder until somebody acknowledges it, and resolves by itself.

    firing ──acknowledge──▶ acked ──expires──▶ firing        firing, acked ──snooze──▶ snoozed ──ends──▶ firing
    each of them ──the promise is kept, the cause is gone──▶ resolved

`next_at` is when the wheel has to look at it: to climb, or to fire again.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    Uuid,
    any_,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM, Actor
from domain.alerting.ladders import Ladder, Step
from domain.db import Base, Json, new_id, one_of_given, ring, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_
from domain.telling import rows

TOPIC = "clocks"
"""Rung when something falls due earlier than the wheel knew."""

ACK_MINUTES = 30
MOST_ACK_MINUTES = 8 * 60
LONGEST_SNOOZE = timedelta(days=7)


class AlertKind(StrEnum):
    SLA_AT_RISK = "sla_at_risk"
    SLA_BREACHED = "sla_breached"
    COMPLAINT_DUE = "complaint_due"
    """A legal deadline comes nearer, or an earlier day that the shop has promised itself."""
    COMPLAINT_STALLED = "complaint_stalled"
    """Nothing has moved in it."""
    CALL_MISSED = "call_missed"
    CHANNEL_DOWN = "channel_down"
    CHANNEL_FLOODED = "channel_flooded"
    """More comes in than it takes: the rest waits."""
    NO_AGENT_ON_SHIFT = "no_agent_on_shift"


WARNINGS = frozenset({AlertKind.SLA_AT_RISK, AlertKind.COMPLAINT_DUE, AlertKind.CALL_MISSED})
"""They are told at level 0 and climb no further: what they warn of has its own alert."""


OF_CHANNELS = (AlertKind.CHANNEL_DOWN, AlertKind.CHANNEL_FLOODED)


class AlertState(StrEnum):
    FIRING = "firing"
    ACKED = "acked"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


UNRESOLVED = (AlertState.FIRING, AlertState.ACKED, AlertState.SNOOZED)


class Alert(Base):
    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("clock_id", "kind", "fired_at"),
        Index(
            "uq_alert_about",
            "kind",
            "about_id",
            unique=True,
            postgresql_where=text("clock_id IS NULL AND state <> 'resolved'"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_alert_state", "state", "fired_at"),
        Index("ix_alert_ticket", "ticket_id"),
        Index("ix_alert_next", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[AlertKind]
    state: Mapped[AlertState]
    level: Mapped[int] = mapped_column(Integer)
    rung: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Of its ladder; beyond the last one it waits for the digest."""
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    clock_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("clock.id"))
    about_id: Mapped[uuid.UUID | None]
    """The call, the channel or the complaint, of an alert that no clock fired."""
    fired_at: Mapped[datetime]
    """The moment it is about: when the promise was broken, though somebody looked later."""
    next_at: Mapped[datetime | None]
    acked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    acked_at: Mapped[datetime | None]
    ack_expires_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]

    @property
    def warns(self) -> bool:
        return self.kind in WARNINGS

    def acknowledge(self, *, by: Actor, at: datetime, minutes: int = ACK_MINUTES, note: str = "") -> bool:
        """False, and nothing changes, when somebody else has it already, or it is over."""
        if not 1 <= minutes <= MOST_ACK_MINUTES:
            raise InvalidInput(
                N_("An acknowledgement lasts 1 to {most} minutes."), field=["minutes"], most=MOST_ACK_MINUTES
            )
        if self.state not in (AlertState.FIRING, AlertState.SNOOZED):
            return False
        self.state, self.acked_by_id, self.acked_at = AlertState.ACKED, by.agent_id, at
        self.snoozed_until = None
        self.ack_expires_at = self.next_at = at + timedelta(minutes=minutes)
        self._tell(EventKind.ALERT_ACKED, by=by, at=at, note=note, until=self.next_at.isoformat())
        return True

    def snooze(self, *, by: Actor, at: datetime, until: datetime, reason: str) -> bool:
        if not reason.strip():
            raise InvalidInput(N_("Say why."), field=["reason"])
        if not at < until <= at + LONGEST_SNOOZE:
            raise InvalidInput(
                N_("An alert sleeps for at most seven days, and not into the past."), field=["until"]
            )
        if self.state not in (AlertState.FIRING, AlertState.ACKED):
            return False
        self.state, self.snoozed_until, self.next_at = AlertState.SNOOZED, until, until
        self._forget_acknowledgement()
        self._tell(EventKind.ALERT_SNOOZED, by=by, at=at, note=reason, until=until.isoformat())
        return True

    def escalate(self, ladder: Ladder, *, by: Actor, at: datetime, note: str = "") -> bool:
        """One step up at once. False at the top, and for what does not climb."""
        step = None if self.warns or self.state == AlertState.RESOLVED else self._above(ladder)
        if step is None:
            return False
        self._wake()
        self._stand(ladder, step, at=at)
        self._tell(EventKind.ALERT_CLIMBED, by=by, at=at, note=note)
        return True

    def look(self, ladder: Ladder, *, at: datetime) -> None:
        """Its moment has come: it climbs, or an acknowledgement or a snooze is over and it fires again where it was."""
        if self.state == AlertState.FIRING:
            step = ladder.step(self.rung + 1, warning=self.warns)
            if step is None:
                self.next_at = None
                return
            self._stand(ladder, (self.rung + 1, step), at=at)
            self._tell(EventKind.ALERT_CLIMBED, by=SYSTEM, at=at)
            return
        if self.warns and not ladder.last(warning=True):  # it has come to fire no warnings
            self.resolve(by=SYSTEM, at=at)
            return
        why = "ack_expired" if self.state == AlertState.ACKED else "snooze_ended"
        self._wake()
        wait = ladder.wait(self.rung, warning=self.warns)
        self.next_at = at + timedelta(seconds=wait) if wait is not None else None
        self._tell(EventKind.ALERT_FIRED, by=SYSTEM, at=at, alert=self.kind, again=why)

    def resolve(self, *, by: Actor, at: datetime) -> None:
        if self.state == AlertState.RESOLVED:
            return
        self.state, self.resolved_at, self.next_at = AlertState.RESOLVED, at, None
        self._tell(EventKind.ALERT_RESOLVED, by=by, at=at)

    def _above(self, ladder: Ladder) -> tuple[int, Step] | None:
        rung = self.rung + 1
        while (step := ladder.step(rung, warning=False)) and step.level == self.level:
            rung += 1
        return (rung, step) if step else None

    def _stand(self, ladder: Ladder, on: tuple[int, Step], *, at: datetime) -> None:
        self.rung, self.level = on[0], on[1].level
        wait = ladder.wait(self.rung, warning=self.warns)
        self.next_at = at + timedelta(seconds=wait) if wait is not None else None

    def _wake(self) -> None:
        self.state, self.snoozed_until = AlertState.FIRING, None
        self._forget_acknowledgement()

    def _forget_acknowledgement(self) -> None:
        self.acked_by_id = self.acked_at = self.ack_expires_at = None

    def _tell(self, kind: EventKind, *, by: Actor, at: datetime, note: str = "", **data: object) -> None:
        session = session_of(self)
        event_data: Json = {"level": self.level, "rung": self.rung, **data}
        if note.strip():
            kept = AlertNote(id=new_id(), alert_id=self.id, text=note.strip())
            session.add(kept)
            event_data["note"] = str(kept.id)
        record(session, kind, by=by, at=at, ticket_id=self.ticket_id, alert_id=self.id, data=event_data)
        ring(session, TOPIC)


class AlertNote(Base):
    """What a person said about an alert: an event holds no text."""

    __tablename__ = "alert_note"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    alert_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("alert.id"), index=True)
    text: Mapped[str]


async def resolve(
    session: AsyncSession, *conditions: ColumnElement[bool], by: Actor = SYSTEM, at: datetime
) -> None:
    """Those that meet the conditions are over."""
    found = await session.scalars(
        select(Alert)
        .where(*conditions, Alert.state.in_(UNRESOLVED))
        .order_by(Alert.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    for alert in found.all():
        alert.resolve(by=by, at=at)


async def resolve_of_clocks(
    session: AsyncSession, clock_ids: Iterable[uuid.UUID], *kinds: AlertKind, by: Actor = SYSTEM, at: datetime
) -> None:
    asked = {"ids": list(clock_ids), "kinds": list(kinds or AlertKind)}
    for alert in await rows(session, Alert, _of_clocks, asked, fresh=True):
        alert.resolve(by=by, at=at)


_of_clocks = (
    select(Alert)
    .where(
        # The table of clocks, and so the type of their ids, is not known here.
        Alert.clock_id == any_(bindparam("ids", type_=ARRAY(Uuid()))),
        one_of_given(Alert.kind, "kinds"),
        Alert.state.in_(UNRESOLVED),
    )
    .order_by(Alert.id)
    .with_for_update(key_share=True)
)
