"""Tickets with their conversations, promises and history."""

import random
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from benchmarks.data import words
from benchmarks.data.customers import Customer, Way
from benchmarks.data.duties import Duties
from benchmarks.data.history import CODES, History, Talk
from benchmarks.data.rows import Rows, dealt_id
from domain.desk.tickets import LIVE, TicketStatus
from domain.events import EventKind
from domain.joining.reasons import JoinCode
from domain.ways_in.channels import ChannelKind

LONG = 60
"""Messages of a long ticket."""
LONG_ONES = 20
DONE = (TicketStatus.SOLVED, TicketStatus.CLOSED)
FOR_MESSAGES = 2 * 86400
"""Seconds in which all of a ticket's messages are written."""


@dataclass(frozen=True)
class Premises:
    """What the shop has, and tickets point to."""

    agents: Sequence[uuid.UUID]
    teams: Sequence[uuid.UUID]
    channels: Mapping[ChannelKind, uuid.UUID]
    policy: uuid.UUID


@dataclass
class Tickets:
    dice: random.Random
    premises: Premises
    customers: Sequence[Customer]
    now: datetime
    long_ones: list[uuid.UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._subjects, self._texts = words.subjects(self.dice, 500), words.texts(self.dice, 3_000)
        self._held: set[str] = set()
        """Keys of live conversations: each has only one."""

    def deal(self, tickets: int, messages: int, rows: Rows) -> Iterator[None]:
        """Adds to the rows, ticket by ticket, the oldest first."""
        every = tickets // LONG_ONES
        spread = messages - tickets - LONG_ONES * (LONG - 1)
        more = Counter(self.dice.choices(range(tickets), k=spread))
        for place in range(tickets):
            is_long = place % every == every // 2
            if is_long:
                more[place + 1] += more[place]
            self._ticket(place, place / tickets, LONG if is_long else 1 + more[place], is_long, rows)
            yield

    def _ticket(self, place: int, age: float, messages: int, is_long: bool, rows: Rows) -> None:
        """`age`: 0 for the first of all, 1 for the newest."""
        dice, customer = self.dice, self.dice.choice(self.customers)
        created = self.now - timedelta(seconds=FOR_MESSAGES + int((1 - age) * 120 * 86400))
        id = dealt_id(dice, created)
        if is_long:
            self.long_ones.append(id)
        live = is_long or dice.random() < (0.85 if age > 0.8 else 0.12)
        assignee = dice.choice(self.premises.agents) if dice.random() < 0.7 else None
        history = History(rows, dice, self.premises.channels, id, customer)
        history.tell(created, EventKind.TICKET_OPENED)
        if assignee:
            history.assigned(created + timedelta(seconds=5), assignee, by=dice.choice(self.premises.agents))
        talks = [
            Talk(dealt_id(dice, created), way, CODES[way.channel], created + timedelta(seconds=1 + turn))
            for turn, way in enumerate(self._ways(customer, live, is_long))
        ]
        talks[0].code = JoinCode.OPENED_TICKET
        at = created + timedelta(seconds=10)
        items = []
        for turn in range(messages):
            at += timedelta(seconds=dice.randint(60, FOR_MESSAGES // (messages + 1)))
            inbound = turn == 0 or dice.random() < 0.55
            talk = talks[0] if turn == 0 else dice.choice(talks)
            text = dice.choice(self._texts)
            items.append((at, talk, text, None if inbound else assignee or self.premises.agents[0]))
        subject, status = dice.choice(self._subjects), dice.choice(LIVE if live else DONE)
        owed = Duties(dice, rows, self.premises.agents, self.premises.policy, self.now)
        due = owed.promise(id, created, open=live and dice.random() < 0.8)
        owed.tasks(id, customer.id, at, open=live)
        undecided = live and owed.complains(id, place + 1, talks[0].way.channel, created)
        rows["ticket"].append(
            (
                id, place + 1, customer.id, subject, status, dice.choice((1, 2, 3, 3, 3, 4)),
                dice.choice((*self.premises.teams, None)), assignee, orjson.dumps(words.tags(dice)).decode(),
                undecided, created, at, None if live else at, due,
            )
        )  # fmt: skip
        for said in items:
            history.message(*said)
        for talk in talks:
            history.talk(talk, subject, ended=None if live else at)

    def _ways(self, customer: Customer, live: bool, is_long: bool) -> list[Way]:
        many = 3 if is_long else self.dice.choice((1, 1, 1, 2, 3))
        ways = self.dice.sample(customer.ways, min(many, len(customer.ways)))
        if not live:
            return ways
        free = [way for way in ways if way.key is None or way.key not in self._held]
        self._held.update(way.key for way in free if way.key)
        return free or customer.ways[:1]
