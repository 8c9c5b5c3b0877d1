"""Customers: all have an address, some a number, a Messenger person, a chat."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks.data import words
from benchmarks.data.rows import Rows, dealt_id
from domain.customers.contacts import IdentityKind, Proof
from domain.events import EventKind
from domain.ways_in.channels import ChannelKind

PAGE = "9001"
MAILBOX = "help@shop.example"

KINDS = (
    (IdentityKind.EMAIL, 1.0, Proof.MAIL_AUTHENTICATED),
    (IdentityKind.PHONE, 0.4, None),
    (IdentityKind.MESSENGER, 0.35, Proof.MESSENGER_PAGE),
    (IdentityKind.CHAT, 0.25, Proof.CHAT_SESSION),
)
SCOPES = {IdentityKind.MESSENGER: PAGE, IdentityKind.CHAT: "chat"}


@dataclass(frozen=True)
class Way:
    """By which a customer writes."""

    identity_id: uuid.UUID
    channel: ChannelKind
    key: str | None
    """What the provider calls the conversation; none for mail."""
    proof: Proof | None


@dataclass(frozen=True)
class Customer:
    id: uuid.UUID
    name: str
    ways: list[Way]


def deal_customers(dice: random.Random, many: int, now: datetime, rows: Rows) -> Iterator[Customer]:
    for number in range(many):
        at = now - timedelta(days=130, seconds=many - number)
        customer = Customer(dealt_id(dice, at), words.name(dice), [])
        rows["contact"].append((customer.id, customer.name, dice.choice(("pl", "es", "ca", None)), at))
        rows["event"].append(
            (at, EventKind.CONTACT_OPENED, "customer", None, None, customer.id, None, None, "{}")
        )
        for place, (kind, share, proof) in enumerate(KINDS):
            if dice.random() < share:
                _identity(dice, customer, number, kind, proof, at + timedelta(seconds=place), rows)
        yield customer


def _identity(
    dice: random.Random,
    customer: Customer,
    number: int,
    kind: IdentityKind,
    proof: Proof | None,
    at: datetime,
    rows: Rows,
) -> None:
    id = dealt_id(dice, at)
    match kind:
        case IdentityKind.EMAIL:
            value = label = f"customer{number}@mail.example"
            customer.ways.append(Way(id, ChannelKind.EMAIL, None, proof))
        case IdentityKind.PHONE:
            value = label = f"+48600{number:06}"
        case IdentityKind.MESSENGER:
            value, label = f"70{number:08}", f"Messenger {number:04}"
            customer.ways.append(Way(id, ChannelKind.MESSENGER, value, proof))
        case _:
            value, label = f"session-{number}", f"Chat {number}"
            customer.ways.append(Way(id, ChannelKind.CHAT, value, proof))
    scope = SCOPES.get(kind, "")
    rows["identity"].append(
        (id, customer.id, kind, scope, value, label, at if proof else None, proof, at, at)
    )
    rows["event"].append(
        (at, EventKind.IDENTITY_LINKED, "customer", customer.id, None, customer.id, None, None, "{}")
    )
