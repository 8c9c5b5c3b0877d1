"""What a provider tells of text messages: that one came, and what became of ours."""

from collections.abc import Iterator
from typing import Any

from domain.arriving.inbound import Arrival, Inbound, InboundMessage, Unread, Unreadable
from domain.customers.consents import Wish
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.sms.infobip import payloads as infobip
from integrations.sms.reading import fields_of
from integrations.sms.twilio import payloads as twilio
from integrations.sms.vonage import payloads as vonage

READERS = {"twilio": twilio.read, "infobip": infobip.read, "vonage": vonage.read}


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    """One event that is of another shape holds up none of the others."""
    said, provider = fields_of(arrival.raw), channel.config["provider"]
    read_one = READERS[provider]
    events = _results(said) if provider == "infobip" else [said]
    for event in events:
        try:
            yield read_one(channel, arrival, event)
        except (KeyError, TypeError, ValueError, AttributeError) as oddity:
            yield Unread(f"an event of another shape: {oddity!r}"[:200], failed=True)
    if not events:
        yield Unread("no results")


def _results(said: dict[str, Any]) -> list[Any]:
    results = said.get("results")
    return results if isinstance(results, list) else []


def says_stop(channel: Channel, keys: Keys, arrival: Arrival) -> bool:
    try:
        parts = list(read(channel, keys, arrival))
    except Unreadable:
        return False
    return any(isinstance(part, InboundMessage) and part.wish == Wish.STOP for part in parts)
