"""What customers send: small Messenger messages and small mails, some from strangers, some from people known by then."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from benchmarks.data import words
from benchmarks.data.customers import MAILBOX, PAGE
from benchmarks.data.loading import RELAY
from demo.farends import messenger_events

REGULARS = 40
"""Every other sender is one of these."""


@dataclass(frozen=True)
class Letter:
    raw: bytes
    envelope: dict[str, Any]


def messenger_bodies(name: str, many: int) -> Iterator[bytes]:
    """As Meta posts them. `name` makes them differ from all others."""
    dice = random.Random(name)
    for place, text in enumerate(words.texts(dice, many)):
        person = str(7_100_000_000 + _sender(name, place))
        event = messenger_events.text_message(
            person, PAGE, text, mid=f"m_{name}_{place}", at=datetime.now(UTC)
        )
        yield orjson.dumps({"object": "page", "entry": [{"id": PAGE, "time": 0, "messaging": [event]}]})


def mails(name: str, many: int) -> Iterator[Letter]:
    """With the word of the shop's own relay that the sender is real."""
    dice = random.Random(name)
    for place, text in enumerate(words.texts(dice, many)):
        number = _sender(name, place)
        sender = f"writer{number}@mail.example"
        lines = (
            f"Authentication-Results: {RELAY}; dmarc=pass header.from=mail.example",
            f"From: {words.NAMES[number % len(words.NAMES)]} <{sender}>",
            f"To: {MAILBOX}",
            f"Subject: Order {place}",
            f"Message-ID: <{name}.{place}@mail.example>",
            "Date: Mon, 02 Mar 2026 12:00:00 +0000",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "",
            text,
        )
        yield Letter("\r\n".join(lines).encode(), {"peer": "127.0.0.1", "from": sender, "thread": None})


def _sender(name: str, place: int) -> int:
    if place % 2:
        return place // 2 % REGULARS
    return 1_000 + random.Random(f"{name} {place}").randrange(1_000_000)
