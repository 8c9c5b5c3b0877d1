"""What is written on a ticket, and what its history tells of it."""

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from benchmarks.data.customers import MAILBOX, Customer, Way
from benchmarks.data.rows import Rows, dealt_id
from domain.desk.messages import DeliveryState, Direction, ItemKind
from domain.events import EventKind
from domain.joining.reasons import JoinCode
from domain.ways_in.channels import ChannelKind

CODES = {
    ChannelKind.EMAIL: JoinCode.SAME_VERIFIED_ADDRESS,
    ChannelKind.MESSENGER: JoinCode.SAME_MESSENGER_PERSON,
    ChannelKind.CHAT: JoinCode.SAME_CHAT_SESSION,
}
MAIL = orjson.dumps({"references": [], "subject": "", "to": [["", MAILBOX]], "cc": []}).decode()
ATTACHED = 0.03
"""The share of messages that bring a photo."""


@dataclass
class Talk:
    """A thread."""

    id: uuid.UUID
    way: Way
    code: JoinCode
    joined_at: datetime
    last_inbound_at: datetime | None = None


@dataclass(frozen=True)
class History:
    rows: Rows
    dice: random.Random
    channels: Mapping[ChannelKind, uuid.UUID]
    ticket: uuid.UUID
    customer: Customer

    def talk(self, talk: Talk, subject: str, *, ended: datetime | None) -> None:
        way = talk.way
        self.rows["thread"].append(
            (
                talk.id, self.channels[way.channel], way.key, self.customer.id, way.identity_id, self.ticket,
                subject if way.channel == ChannelKind.EMAIL else "", talk.code, way.proof, "{}", talk.joined_at,
                talk.last_inbound_at, ended,
            )
        )  # fmt: skip
        self.tell(talk.joined_at, EventKind.THREAD_JOINED, talk=talk, data={"code": talk.code})

    def message(self, at: datetime, talk: Talk, text: str, agent: uuid.UUID | None) -> None:
        """The customer's, or the agent's answer."""
        id = dealt_id(self.dice, at)
        if not agent:
            talk.last_inbound_at = at
        self.rows["item"].append(
            (
                id, ItemKind.MESSAGE, self.ticket, self.customer.id, talk.id, self.channels[talk.way.channel],
                Direction.OUT if agent else Direction.IN, agent, "" if agent else self.customer.name, at,
                text, f"{id.hex}@mail.example", False, not agent, DeliveryState.SENT if agent else None,
                MAIL if talk.way.channel == ChannelKind.EMAIL else None,
            )
        )  # fmt: skip
        if self.dice.random() < ATTACHED:
            file = f"{id.hex[:2]}/{id.hex}"
            photo = (dealt_id(self.dice, at), id, "photo.jpg", "image/jpeg", 48_213, file, False)
            self.rows["attachment"].append(photo)
        kind = EventKind.MESSAGE_SENT if agent else EventKind.MESSAGE_RECEIVED
        self.tell(at, kind, agent=agent, talk=talk, item=id)

    def assigned(self, at: datetime, to: uuid.UUID, *, by: uuid.UUID) -> None:
        self.tell(at, EventKind.TICKET_ASSIGNED, agent=by, data={"to": str(to), "before": None})

    def tell(
        self,
        at: datetime,
        kind: EventKind,
        *,
        agent: uuid.UUID | None = None,
        talk: Talk | None = None,
        item: uuid.UUID | None = None,
        data: Any = None,
    ) -> None:
        by = ("agent", agent) if agent else ("customer", self.customer.id)
        told = orjson.dumps(data or {}).decode()
        thread = talk.id if talk else None
        self.rows["event"].append((at, kind, *by, self.ticket, self.customer.id, thread, item, told))
