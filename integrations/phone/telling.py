"""Who tells of calls: a line has one provider, and each arrival says by whom it came."""

from collections.abc import Iterator

from domain.arriving.inbound import Arrival, Inbound, Unread
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.phone import payloads as generic
from integrations.phone.asterisk import payloads as asterisk
from integrations.phone.twilio import payloads as twilio

READERS = {"generic": generic.read, "twilio": twilio.read, "asterisk": asterisk.read}


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    yield from READERS[arrival.envelope.get("by", "generic")](channel, keys, arrival)
