"""What the steps of a call say: `event` newCall, answer or hangup; `direction`, `from`, `to`, `call_id`, `user`, `cause`, and
`at`, where the PBX says when."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from domain.arriving.inbound import Arrival, CallStep, Inbound, InboundCall, Unread
from domain.customers.contacts import Claim, IdentityKind, phone_number
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.objects import object_of
from integrations.storable import storable

STEPS = {"newCall": CallStep.RINGING, "answer": CallStep.ANSWERED, "hangup": CallStep.ENDED}
VOICEMAIL = "voicemail"
MOST_FIELDS = 100
MOST_USERS = 50

LATE = timedelta(days=1)
"""A PBX may have waited so long for us; what it says of times before is not believed, nor of those to come."""


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    yield step_of(channel, event_of(arrival.raw), at=arrival.received_at) or Unread(
        "neither newCall, answer nor hangup of a call"
    )


def event_of(body: bytes) -> dict[str, Any]:
    """JSON, or a form. Raises ValueError for what is neither."""
    if body.lstrip().startswith((b"{", b"[", b'"')):
        return object_of(body)
    pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_FIELDS)
    if not pairs:
        raise ValueError("the body is empty")
    form: dict[str, Any] = {}
    for name, value in pairs:
        name = name.removesuffix("[]")
        form[name] = [*_several(form[name]), value] if name in form else value
    return form


def step_of(channel: Channel, event: dict[str, Any], *, at: datetime) -> InboundCall | None:
    """`at`: when it came, which counts unless it says itself. None for what is no step of a call."""
    step = STEPS.get(_word(event, "event"))
    call_id = _word(event, "call_id") or _word(event, "callId")
    if step is None or not call_id:
        return None
    users = _users(event)
    answering = _word(event, "answeringNumber")
    if step == CallStep.ANSWERED and VOICEMAIL in (*users, answering):
        step, users = CallStep.VOICEMAIL, ()
    elif step == CallStep.ANSWERED and answering:  # of all that rang
        users = (answering,)
    outgoing, region = _word(event, "direction") == "out", channel.config.get("region")
    written, ours = _word(event, "to" if outgoing else "from"), _word(event, "from" if outgoing else "to")
    number = phone_number(written, region=region) if written else None
    rings = step == CallStep.RINGING and not outgoing
    return InboundCall(
        call_id=call_id,
        step=step,
        at=_at(event, at),
        claim=Claim(IdentityKind.PHONE, number, None) if number else None,
        withheld=bool(written) and number is None,
        number=number or written,
        outgoing=outgoing,
        dialled="" if outgoing or not ours else phone_number(ours, region=region) or "",
        ringing=users if rings else (),
        agent=users[0] if users and not rings else None,
        cause=_word(event, "cause") or None,
    )


def _users(event: dict[str, Any]) -> tuple[str, ...]:
    """A word, several between commas, or a list."""
    words = [_short(part) for one in _several(event.get("user")) for part in str(one or "").split(",")]
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_USERS]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _at(event: dict[str, Any], arrived_at: datetime) -> datetime:
    written = _word(event, "at") or _word(event, "timestamp")
    said = _moment(written) if written else None
    return min(said, arrived_at) if said and abs(said - arrived_at) < LATE else arrived_at


def _moment(written: str) -> datetime | None:
    """ISO 8601 with its zone, or seconds or milliseconds since 1970."""
    try:
        if written.replace(".", "", 1).isdecimal():
            seconds = float(written)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        moment = datetime.fromisoformat(written)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


def _word(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return _short(value) if isinstance(value, str | int | float) else ""


def _short(value: object) -> str:
    return storable(value).strip()[:250]
