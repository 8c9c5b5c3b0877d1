"""What a ticket's history means for what was promised: pure functions from facts to promises.

A first reply is promised from the customer's first word, a next reply from the oldest one that nobody has answered. Who waits
in several channels is promised the one answer that is due first: a chat is not put off by the mail that is due tomorrow. A
person's public word, wherever it goes, is that answer. A resolution is promised from the ticket's opening. Time in which the ticket stands
in a pausing status, or is solved and reopened soon enough, is a break in the calendar. What laws promise beside that, in days, runs
from the word that made the ticket theirs, and takes no notice of what was before.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self, TypeAlias

from domain.desk.tickets import OVER, TicketStatus
from domain.sla.hours import Hours, Interval, NeverOpen
from domain.sla.targets import Metric, Target, choose
from domain.ways_in.channels import ChannelKind


class Deed(StrEnum):
    """What counts for a promise."""

    CUSTOMER_SPOKE = "customer_spoke"
    """Or rang, and nobody answered."""
    SHOP_SPOKE = "shop_spoke"
    """A person of the shop, to the customer."""
    STATUS_SET = "status_set"


@dataclass(frozen=True)
class Fact:
    at: datetime
    deed: Deed
    channel: ChannelKind | None = None
    """Where the customer spoke."""
    status: TicketStatus | None = None
    """The one that was set."""
    by_customer: bool = False
    """Did the customer's word set it?"""
    seq: int = 0
    """In the ticket's history."""
    unheard_at: datetime | None = None
    """When the shop answered, or put the ticket aside, and did not know of it yet: a customer's word that came late."""

    @property
    def order(self) -> tuple[datetime, int, int]:
        """Of what happened at once, an answer comes before the status it sets, a customer's word after it."""
        rank = 0 if self.by_customer else 2 if self.status else 1
        return (self.unheard_at, 3 + rank, self.seq) if self.unheard_at else (self.at, rank, self.seq)


@dataclass(frozen=True)
class Terms:
    """What a policy promises, in which hours, and what stops its clocks."""

    policy_id: uuid.UUID
    targets: tuple[Target, ...]
    hours: Hours
    pauses: frozenset[TicketStatus] = frozenset({TicketStatus.PENDING})
    reopens_within: timedelta = timedelta(days=7)
    """A ticket reopened later than this is promised a new resolution."""

    def of(self, *, legal: bool) -> Self:
        """Only what it promises because of a law, or only the rest."""
        return replace(self, targets=tuple(target for target in self.targets if target.legal == legal))

    def apply(self, priority: int) -> bool:
        return any(target.priority in (None, priority) for target in self.targets)


@dataclass(frozen=True)
class Wait:
    since: datetime
    target: Target
    terms: Terms
    channel: ChannelKind | None = None


@dataclass
class Promise:
    metric: Metric
    waits: list[Wait]
    """The first began it; the one that is due first counts."""
    met_at: datetime | None = None
    ended_at: datetime | None = None
    """The ticket was solved without an answer: nobody waits for one any more."""
    first: Wait = field(init=False)
    due_at: datetime = field(init=False)
    warn_at: list[datetime] = field(init=False)
    paused_since: datetime | None = None

    @property
    def started_at(self) -> datetime:
        return self.waits[0].since

    @property
    def runs(self) -> bool:
        return self.met_at is None and self.ended_at is None

    @property
    def legal(self) -> bool:
        return self.first.target.legal


def promised(
    facts: Iterable[Fact], terms: Sequence[Terms], *, opened_at: datetime, priority: int
) -> list[Promise]:
    """Every promise the history made, kept and running, in the order in which they began.

    Of several terms, the one that is due first counts.
    """
    facts = sorted(facts, key=lambda fact: fact.order)
    found = [*_resolutions(facts, terms, opened_at, priority), *_replies(facts, terms, priority)]
    breaks = {one: _breaks(facts, one) for one in terms}
    timed = [promise for promise in found if _time(promise, breaks)]
    return sorted(timed, key=lambda promise: promise.started_at)


def promised_by_law(
    facts: Iterable[Fact], laws: Sequence[Terms], *, since: datetime, priority: int
) -> list[Promise]:
    return promised([fact for fact in facts if fact.at >= since], laws, opened_at=since, priority=priority)


def until_decided(facts: Iterable[Fact], decided_at: datetime | None) -> list[Fact]:
    """As a law sees a complaint's: who was told the decision has their answer, and what becomes of the ticket is the shop's affair."""
    said = [fact for fact in facts if fact.status is None]
    return [*said, Fact(decided_at, Deed.STATUS_SET, status=TicketStatus.SOLVED)] if decided_at else said


def complained_at(facts: Iterable[Fact], *, at: datetime, opened_at: datetime) -> datetime:
    """The word that made a ticket a complaint, which it is known to be since `at`: the customer's latest until then."""
    words = [fact.at for fact in facts if fact.deed == Deed.CUSTOMER_SPOKE and fact.at <= at]
    return max(words, default=opened_at)


def is_waited_for(facts: Iterable[Fact]) -> bool:
    """Is the customer's word, or call, the last that counts?"""
    waits = False
    for fact in sorted(facts, key=lambda fact: fact.order):
        if fact.deed == Deed.CUSTOMER_SPOKE:
            waits = True
        elif fact.deed == Deed.SHOP_SPOKE or fact.status in OVER:
            waits = False
    return waits


def _waits(
    terms: Sequence[Terms], metric: Metric, since: datetime, priority: int, channel: ChannelKind | None = None
) -> list[Wait]:
    chosen = [(choose(one.targets, metric, priority=priority, channel=channel), one) for one in terms]
    return [Wait(since, target, one, channel) for target, one in chosen if target]


def _resolutions(
    facts: Sequence[Fact], terms: Sequence[Terms], opened_at: datetime, priority: int
) -> list[Promise]:
    waits = _waits(terms, Metric.RESOLUTION, opened_at, priority)
    if not waits:
        return []
    reopens_within = max(wait.terms.reopens_within for wait in waits)
    found = [Promise(Metric.RESOLUTION, waits)]
    for fact in facts:
        running = found[-1]
        if fact.status in OVER:
            running.met_at = running.met_at or fact.at
        elif fact.status and running.met_at:
            if fact.at - running.met_at <= reopens_within:
                running.met_at = None
            else:
                found.append(Promise(Metric.RESOLUTION, _waits(terms, Metric.RESOLUTION, fact.at, priority)))
    return found


def _replies(facts: Sequence[Fact], terms: Sequence[Terms], priority: int) -> list[Promise]:
    found: list[Promise] = []
    waiting: Promise | None = None
    settled: Promise | None = None
    spoken = answered = False
    for fact in facts:
        match fact.deed:
            case Deed.CUSTOMER_SPOKE:
                spoken, settled = True, None
                metric = Metric.NEXT_REPLY if answered else Metric.FIRST_REPLY
                waits = _waits(terms, metric, fact.at, priority, fact.channel)
                if not waits:
                    continue
                if waiting is None:
                    waiting = Promise(metric, waits)
                    found.append(waiting)
                elif all(one.channel != fact.channel for one in waiting.waits):
                    waiting.waits += waits
            case Deed.SHOP_SPOKE:
                answered = spoken
                if waiting:
                    waiting.met_at = fact.at
                waiting = settled = None
            case Deed.STATUS_SET if fact.status in OVER:
                if waiting:
                    waiting.ended_at = fact.at
                waiting, settled = None, waiting or settled
            case Deed.STATUS_SET if settled and not fact.by_customer:
                settled.ended_at = None  # solved by mistake: who was not answered waits still
                waiting, settled = settled, None
    return found


Breaks: TypeAlias = tuple[list[Interval], datetime | None]


def _breaks(facts: Sequence[Fact], terms: Terms) -> Breaks:
    """The stretches in a status that stops the clocks; and since when the last of them lasts."""
    breaks, since = [], None
    for fact in facts:
        if fact.status is None:
            continue
        stops = fact.status in terms.pauses or fact.status in OVER
        if since and not stops:
            breaks.append((since, fact.at))
            since = None
        elif stops and since is None:
            since = fact.at
    return breaks, since


def _time(promise: Promise, breaks: Mapping[Terms, Breaks]) -> bool:
    """False where the shop never opens: nothing can be promised there."""
    try:
        timed = [
            (*wait.target.moments(wait.terms.hours, wait.since, breaks[wait.terms][0]), wait)
            for wait in promise.waits
        ]
    except NeverOpen:
        return False
    promise.due_at, promise.warn_at, promise.first = min(timed, key=lambda one: one[0])
    paused_since = breaks[promise.first.terms][1]
    if promise.runs and not promise.legal and paused_since:
        promise.paused_since = max(paused_since, promise.started_at)
    return True
