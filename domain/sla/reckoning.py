"""Keeps a ticket's clocks equal to what its history means."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import DateTime, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import asked
from domain.actors import SYSTEM, Actor
from domain.alerting import alerts
from domain.alerting.alerts import TOPIC, Alert, AlertKind
from domain.calling import call_backs
from domain.db import database_time, new_id, one_of_given, ring
from domain.desk.survivors import locked
from domain.desk.tickets import NEVER, Ticket
from domain.events import Event, EventKind, record
from domain.sla.clocks import Clock
from domain.sla.facts import CHANGED, MERGED, SAID, SLOW, History, began_at, facts_in, grouped
from domain.sla.policies import IN_ORDER, Policy
from domain.sla.promises import Promise, is_waited_for
from domain.sla.terms import promises_of
from domain.telling import Wanted, known, tell, tell_together
from domain.ways_in.channels import ChannelKind

DAY = 86_400


async def history_of(session: AsyncSession, ticket: Ticket) -> History:
    return await asked(session, _histories, ticket)


async def _histories(session: AsyncSession, tickets: Sequence[Ticket]) -> Mapping[Ticket, History]:
    values = {
        "ids": [ticket.id for ticket in tickets],
        "since": min(ticket.created_at for ticket in tickets) - SLOW,
    }
    said, changed, merged, clocks, ordered = await tell_together(
        session,
        Wanted(SAID, values),
        Wanted(CHANGED, values),
        Wanted(MERGED, values),
        Wanted(_clocks, values, Clock),
        Wanted(IN_ORDER, {}, Policy),
    )
    items, changes = grouped(said), grouped(changed)
    earlier = {row.ticket_id: row for row in merged}
    kept = grouped(known(session, clock) for clock in clocks)
    policies = [(policy, policy.hours) for policy in ordered]
    found = {}
    for ticket in tickets:
        facts = facts_in(ticket.created_at, items[ticket.id], changes[ticket.id])
        began = began_at(ticket, earlier.get(ticket.id))
        found[ticket] = History(facts, *began, policies, kept[ticket.id])
    return found


_clocks = select(Clock).where(one_of_given(Clock.ticket_id)).order_by(Clock.started_at)


async def reckon(
    session: AsyncSession, ticket: Ticket, *, by: Actor = SYSTEM, at: datetime, history: History | None = None
) -> bool:
    """Makes the ticket's clocks what its history and its policy say now; whether any of them moved.

    `ticket` is held by the caller. What was kept or settled stays as it was reckoned then. `history`: where it is known already.
    """
    history = history or await history_of(session, ticket)
    promises = await promises_of(session, ticket, history, at=at)
    hand = _Hand(session, ticket, by, at)
    pairs = _pairs(promises, history.clocks)
    paired = {clock.id for _, clock in pairs if clock}
    left = [row for row in history.clocks if row.runs and row.id not in paired]
    await hand.end(left)
    clocks = [hand.set(clock, promise) for promise, clock in pairs]
    ticket.due_at = min((row.due_at for row in clocks if row.runs and not row.paused_since), default=NEVER)
    await hand.tell()
    facts = history.facts
    if any(fact.channel == ChannelKind.PHONE for fact in facts) and not is_waited_for(facts):
        missed = (Alert.ticket_id == ticket.id, Alert.kind == AlertKind.CALL_MISSED)
        await alerts.resolve(session, *missed, by=by, at=at)
        await call_backs.finish(session, ticket, by=by, at=at)
    return hand.moved


async def promise_anew(session: AsyncSession, ticket: Ticket, *, by: Actor = SYSTEM, at: datetime) -> bool:
    """Reckons where no event of the ticket's says why; whether any of its clocks moved, which is told then."""
    moved = await reckon(session, ticket, by=by, at=at)
    if moved:
        about = {"ticket_id": ticket.id, "contact_id": ticket.contact_id}
        record(session, EventKind.SLA_CHANGED, by=by, at=at, **about)
    return moved


def _pairs(promises: Sequence[Promise], rows: Sequence[Clock]) -> list[tuple[Promise, Clock | None]]:
    """Each promise with its clock: the one that began with it, or the one that runs for the same."""
    began = {(row.metric, row.is_legal, row.started_at): row for row in rows}
    own = [began.get((promise.metric, promise.legal, promise.started_at)) for promise in promises]
    running = {(row.metric, row.is_legal): row for row in rows if row.runs and row not in own}
    return [
        (promise, row or (running.get((promise.metric, promise.legal)) if promise.runs else None))
        for promise, row in zip(promises, own, strict=True)
    ]


_over = (
    update(Clock)
    .where(one_of_given(Clock.id))
    .values(ended_at=bindparam("over_at", type_=DateTime(timezone=True)), next_at=None)
)


class _Hand:
    """Sets the clocks of one ticket, and afterwards tells what came of it."""

    def __init__(self, session: AsyncSession, ticket: Ticket, by: Actor, at: datetime) -> None:
        self._session, self._ticket, self._by, self._at = session, ticket, by, at
        self._quiet: list[uuid.UUID] = []
        """Clocks whose alerts are over."""
        self.moved = False

    async def end(self, rows: Sequence[Clock]) -> None:
        """At once, before what else waits to be written: what ends makes room for what begins."""
        if not rows:
            return
        ids = [row.id for row in rows]
        await tell(self._session, _over, {"ids": ids, "over_at": self._at}, flushes=False)
        for row in rows:
            row.ended_at, row.next_at = self._at, None
        self._quiet += ids
        self.moved = True

    def set(self, row: Clock | None, promise: Promise) -> Clock:
        if row is not None and not row.runs and not promise.runs:
            return row
        began = row is None
        if row is None:
            row = Clock(id=new_id(), ticket_id=self._ticket.id, metric=promise.metric)
            self._session.add(row)
        ran = not began and row.runs
        stays = ran and (row.due_at, row.paused_since) == (promise.due_at, promise.paused_since)
        warned = self._passed(row.warn_at) if ran else []
        warns_otherwise = stays and row.warn_at != promise.warn_at
        target, terms = promise.first.target, promise.first.terms
        row.started_at, row.policy_id = promise.started_at, terms.policy_id
        row.channel, row.is_legal = promise.first.channel, target.legal
        row.target_seconds = target.days * DAY or target.seconds
        row.due_at, row.warn_at, row.paused_since = promise.due_at, promise.warn_at, promise.paused_since
        row.met_at, row.ended_at = promise.met_at, promise.ended_at
        if not promise.runs:
            self._stop(row, ran=ran)
        elif not stays:
            self._start(row, ran=ran)
        elif warns_otherwise:
            self._look_ahead(row, warned)
        else:
            return row
        self.moved = True
        return row

    def _look_ahead(self, row: Clock, warned: Sequence[datetime]) -> None:
        """To its next moment. Another one for what was told already tells nobody anything."""
        if row.next_at and row.next_at > self._at:
            passed = self._passed(row.warn_at)
            ahead = min(moment for moment in (*row.warn_at, row.due_at) if moment > self._at)
            row.next_at = passed[-1] if len(passed) > len(warned) else ahead
            ring(self._session, TOPIC)

    def _passed(self, warnings: Sequence[datetime]) -> list[datetime]:
        return [moment for moment in warnings if moment <= self._at]

    def _start(self, row: Clock, *, ran: bool) -> None:
        """It runs from here; an alert for a moment that is no longer the right one is over."""
        if row.breached_at and row.due_at > self._at:
            row.breached_at = None
        if ran:
            self._quiet.append(row.id)
        passed = self._passed(row.warn_at)
        row.next_at = (
            None if row.paused_since
            else row.due_at if row.due_at <= self._at
            else passed[-1] if passed
            else min([*row.warn_at, row.due_at])
        )  # fmt: skip
        ring(self._session, TOPIC)

    def _stop(self, row: Clock, *, ran: bool) -> None:
        row.next_at = None
        if row.met_at:
            row.breached_at = row.due_at if row.met_at > row.due_at else None
        if ran:
            self._quiet.append(row.id)
        if ran and row.met_at:
            record(
                self._session,
                EventKind.SLA_MET,
                by=self._by,
                at=row.met_at,
                ticket_id=self._ticket.id,
                contact_id=self._ticket.contact_id,
                data={"clock": str(row.id), "metric": row.metric},
            )

    async def tell(self) -> None:
        if self._quiet:
            await alerts.resolve_of_clocks(self._session, self._quiet, by=self._by, at=self._at)


READER = "promises"


async def mend(session: AsyncSession, event: Event) -> None:
    """An answer that could not be delivered keeps no promise: its clock runs again, as if it had never been written."""
    if event.kind == EventKind.MESSAGE_FAILED and event.ticket_id:
        await promise_anew(session, await locked(session, event.ticket_id), at=await database_time(session))
