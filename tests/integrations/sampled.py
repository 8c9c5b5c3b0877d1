"""What providers send, kept as files, and what is read of it: through the real reader, as the provider's door would keep it."""

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from starlette.exceptions import HTTPException

from domain.arriving.inbound import Arrival, ArrivalState, Unread, Unreadable
from domain.customers.contacts import Contact
from domain.db import Json
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.channel_settings import read_settings
from integrations.mailroom import READERS
from integrations.messenger.links import link
from integrations.webhook import form_of, well_formed
from tests.factories import NOON, SETTINGS
from tests.integrations.judging import Part

SAMPLES = Path(__file__).with_name("samples")
KINDS = {
    "messenger": ChannelKind.MESSENGER,
    "cti": ChannelKind.PHONE,
    "twilio_voice": ChannelKind.PHONE,
    "ami": ChannelKind.PHONE,
    "twilio_sms": ChannelKind.SMS,
    "vonage": ChannelKind.SMS,
    "infobip": ChannelKind.SMS,
}
_TWILIO = {"provider": "twilio", "account_sid": "AC" + "0a1b2c3d" * 4, "auth_token": "what Twilio signs with"}
_NUMBER = {"number": "+48221234567", "region": "PL"}
_KEY = "a key that nobody else knows, of forty letters"
OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "messenger": SETTINGS[ChannelKind.MESSENGER],
    "cti": SETTINGS[ChannelKind.PHONE],
    "twilio_voice": _NUMBER | _TWILIO,
    "ami": _NUMBER
    | {
        "provider": "asterisk",
        "ami_host": "pbx.shop.example",
        "ami_user": "heddle",
        "ami_secret": _KEY,
        "outbound_context": "internal",
    },
    "twilio_sms": _NUMBER | _TWILIO,
    "vonage": _NUMBER | {"provider": "vonage", "api_key": "ab12cd34", "api_secret": _KEY, "token": _KEY},
    "infobip": _NUMBER
    | {"provider": "infobip", "base_url": "https://x1.api.infobip.example", "api_key": _KEY, "token": _KEY},
}
LATER = NOON + timedelta(minutes=1)

keys = Keys("the samples are read with this key alone")


def missing_reader(provider: str) -> str | None:
    """Why nothing reads this provider's samples."""
    if KINDS[provider] not in READERS:
        return f"channels of kind {KINDS[provider]} have no reader yet"
    module = {"twilio_voice": "integrations.phone.twilio", "ami": "integrations.phone.asterisk"}.get(provider)
    if module and find_spec(module) is None:
        return f"there is no {module} yet"
    return None


def channel_of(provider: str) -> Channel:
    kind = KINDS[provider]
    settings = read_settings(kind, OWN_SETTINGS[provider])
    return Channel(
        id=uuid.uuid4(),
        kind=kind,
        slug=kind.value,
        name=provider,
        address=settings.place(),
        config=settings.config(),
        secrets=keys.encrypt(settings.secrets()),
        created_at=NOON,
    )


def arrivals_of(provider: str, name: str, body: bytes) -> Iterator[Arrival]:
    """As the provider's door keeps it; HTTPException or ValueError for what it refuses."""
    for number, (raw, envelope) in enumerate(_kept(provider, name, body)):
        yield Arrival(
            id=uuid.uuid4(),
            channel_id=uuid.uuid4(),
            external_id=f"{name}:{number}",
            raw=raw,
            envelope=envelope,
            received_at=LATER,
            state=ArrivalState.WAITING,
        )


def _kept(provider: str, name: str, body: bytes) -> Iterable[tuple[bytes, Json]]:
    match provider:
        case "messenger":
            well_formed(body)
        case "cti":
            generic = import_module("integrations.phone.payloads")
            getattr(generic, "event_of", well_formed)(body)
        case "twilio_voice":
            return [(body, _voice(name, body))]
        case "ami":
            return [(orjson.dumps(event), {"by": "asterisk"}) for event in _followed(body)]
        case _:
            if body.lstrip()[:1] == b"{":
                well_formed(body)
            else:
                form_of(body)
    return [(body, {})]


def _voice(name: str, body: bytes) -> Json:
    """Which of Twilio's addresses was called, and with what we had put into it."""
    form = form_of(body)
    call = str(form.get("ParentCallSid") or form.get("CallSid") or "")
    if not call:
        raise HTTPException(401, "no call of this account")
    agreed = "consent=pressed&language=en&at=2026-03-02T12:00:00Z&said=This+call+is+recorded."
    side = "customer" if form.get("ParentCallSid") else "agent"
    part, query = {
        "incoming": ("", ""),
        "status": ("status", ""),
        "leg": ("status", ""),
        "dial": ("dialled", ""),
        "out": ("status", f"call={call}&side={side}"),
        "gather": ("menu", ""),
        "recording": ("recording", agreed + ("&kind=voicemail" if "RecordVerb" in form.values() else "")),
        "transcription": ("transcription", ""),
    }.get(name.partition("_")[0].partition(".")[0], ("", ""))
    return {"by": "twilio", "part": part, "query": query}


def _followed(told: bytes) -> Iterator[dict[str, str]]:
    """Of all that an exchange tells, the events of calls that began where the shop's do."""
    reading = import_module("integrations.phone.asterisk.payloads")
    listening = import_module("integrations.phone.asterisk.listening")
    line = read_settings(ChannelKind.PHONE, OWN_SETTINGS["ami"])
    begun: set[str] = set()
    for block in told.decode().split("\r\n\r\n"):
        event = {name: said for name, _, said in (head.partition(": ") for head in block.splitlines())}
        shown = event.get("Event") == "CoreShowChannel"
        if event.get("Event") not in listening.FOLLOWED and not shown:
            continue
        call = reading.call_id(event)
        begins = event["Event"] == "Newchannel" or shown
        if begins and reading.follows(event, line, "PL"):
            begun.add(call)
            yield event
        elif call in begun and not begins:
            yield event


def samples(provider: str) -> Iterator[tuple[str, bytes, Any]]:
    expected = json.loads((SAMPLES / provider / "expected.json").read_bytes())
    for name, reading in expected.items():
        yield name, (SAMPLES / provider / name).read_bytes(), reading


def parts_of(provider: str, name: str, body: bytes) -> list[Part]:
    """What came of it, without what was ignored."""
    channel = channel_of(provider)
    ref = parse_qs(urlsplit(link(keys, channel, Contact(id=uuid.uuid4()), at=NOON)).query)["ref"][0]
    try:
        arrivals = list(arrivals_of(provider, name, body.replace(b"@ref@", ref.encode())))
    except (HTTPException, ValueError) as refusal:
        return [Unread(f"refused at the door: {refusal}", failed=True)]
    parts: list[Part] = []
    try:
        for arrival in arrivals:
            parts += READERS[channel.kind](channel, keys, arrival)
    except Unreadable as reason:
        parts.append(Unread(str(reason), failed=True))
    return [part for part in parts if not isinstance(part, Unread) or part.failed]
