"""What the steps of a call say: `event` newCall, answer or hangup; `direction`, `from`, `to`, `call_id`, `user`, `cause`."""

from collections.abc import Iterator
from typing import Any

import orjson

from domain.channels import Channel
from domain.contacts import Claim, IdentityKind, phone_number
from domain.inbound import Arrival, CallStep, Inbound, InboundCall, Unread
from domain.keys import Keys

STEPS = {"newCall": CallStep.RINGING, "answer": CallStep.ANSWERED, "hangup": CallStep.ENDED}
VOICEMAIL = "voicemail"


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    event: dict[str, Any] = orjson.loads(arrival.raw)
    step = STEPS.get(str(event.get("event")))
    call_id = _word(event, "call_id")
    if step is None or not call_id:
        yield Unread("neither newCall, answer nor hangup of a call")
        return
    agent = _agent(event)
    if step == CallStep.ANSWERED and VOICEMAIL in (agent, _word(event, "answeringNumber")):
        yield Unread("a machine answered: the call stays unanswered")
        return
    outgoing = _word(event, "direction") == "out"
    written = _word(event, "to" if outgoing else "from")
    number = phone_number(written, region=channel.config.get("region")) if written else None
    yield InboundCall(
        call_id=call_id,
        step=step,
        at=arrival.received_at,
        claim=Claim(IdentityKind.PHONE, number, None) if number else None,
        withheld=bool(written) and number is None,
        number=number or written,
        outgoing=outgoing,
        agent=agent,
        cause=_word(event, "cause") or None,
    )


def _agent(event: dict[str, Any]) -> str | None:
    user = event.get("user")
    if isinstance(user, list):
        user = user[0] if user else None
    return str(user).split(",")[0].strip() if user else None


def _word(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return str(value).replace("\x00", "").strip()[:200] if isinstance(value, str | int) else ""
