"""What a provider tells of text messages: that one came, and what became of ours."""

from collections.abc import Iterable, Iterator
from typing import Any

from domain.channels import Channel
from domain.consents import Wish
from domain.inbound import Arrival, Inbound, InboundMessage, Unread, Unreadable
from domain.keys import Keys
from integrations.sms.infobip import payloads as infobip
from integrations.sms.reading import fields_of
from integrations.sms.twilio import payloads as twilio
from integrations.sms.vonage import payloads as vonage


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    said = fields_of(arrival.raw)
    results = said.get("results")
    match channel.config["provider"]:
        case "twilio":
            yield from _each([said], lambda one: twilio.read(channel, arrival, one))
        case "infobip":
            yield from _each(
                results if isinstance(results, list) else [], lambda one: infobip.read(channel, arrival, one)
            )
        case _:
            yield from _each([said], lambda one: vonage.read(channel, arrival, one))


def _each(events: Iterable[Any], read_one: Any) -> Iterator[Inbound | Unread]:
    """One that is of another shape holds up none of the others."""
    found = False
    for event in events:
        found = True
        try:
            yield read_one(event)
        except (KeyError, TypeError, ValueError, AttributeError) as oddity:
            yield Unread(f"an event of another shape: {oddity!r}"[:200], failed=True)
    if not found:
        yield Unread("no results")


def says_stop(channel: Channel, keys: Keys, arrival: Arrival) -> bool:
    try:
        parts = list(read(channel, keys, arrival))
    except Unreadable:
        return False
    return any(isinstance(part, InboundMessage) and part.wish == Wish.STOP for part in parts)
