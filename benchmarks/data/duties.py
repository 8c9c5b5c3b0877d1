"""What the shop owes on a ticket: a promise, the alert of a broken one, now and then a task or a complaint."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks.data.rows import Rows, dealt_id
from domain.alerting.alerts import AlertKind, AlertState
from domain.complaints.stages import Stage
from domain.desk.tickets import NEVER
from domain.sla.targets import Metric
from domain.ways_in.channels import ChannelKind

PROMISED = 4 * 3600
WARNED = timedelta(minutes=15)
WITH_TASK = 0.03
COMPLAINTS = 0.01
"""Of those that are open."""


@dataclass(frozen=True)
class Duties:
    dice: random.Random
    rows: Rows
    agents: Sequence[uuid.UUID]
    policy: uuid.UUID
    now: datetime

    def promise(self, ticket: uuid.UUID, created: datetime, *, open: bool) -> datetime:
        """Kept, broken, or, most of those that are open, still running; by when the ticket is due."""
        dice, due = self.dice, created + timedelta(seconds=PROMISED)
        id = dealt_id(dice, created)
        met = breached = next = None
        if not open:
            met = created + timedelta(minutes=dice.randint(5, 230))
        elif dice.random() < 0.85:
            due = self.now + timedelta(minutes=dice.randint(120, 5 * 24 * 60))
            next = due - WARNED
        else:
            due = breached = self.now - timedelta(minutes=dice.randint(10, 24 * 60))
            alert = dealt_id(dice, due), AlertKind.SLA_BREACHED, AlertState.FIRING, 1, 9, ticket, id, due
            self.rows["alert"].append(alert)
        self.rows["clock"].append(
            (
                id, ticket, self.policy, Metric.FIRST_REPLY, created, PROMISED, [due - WARNED], due, next, met, breached,
            )
        )  # fmt: skip
        return due if open else NEVER

    def tasks(self, ticket: uuid.UUID, customer: uuid.UUID, at: datetime, *, open: bool) -> None:
        dice = self.dice
        if dice.random() >= WITH_TASK:
            return
        due = self.now + timedelta(hours=dice.randint(-24, 96)) if open else at
        self.rows["task"].append(
            (
                dealt_id(dice, at), "Ring the courier", due, dice.choice(self.agents), ticket, customer,
                dice.choice(self.agents), at, at, None if open else at,
            )
        )  # fmt: skip

    def complains(self, ticket: uuid.UUID, number: int, channel: ChannelKind, at: datetime) -> bool:
        if self.dice.random() >= COMPLAINTS:
            return False
        stage = self.dice.choice((Stage.RECEIVED, Stage.INVESTIGATING, Stage.WAITING_EXTERNAL))
        self.rows["complaint"].append(
            (
                dealt_id(self.dice, at), number, ticket, channel, stage, at, at, at, "Ask the maker", "",
            )
        )  # fmt: skip
        return True
