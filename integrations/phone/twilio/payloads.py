"""What Twilio tells of a call: its webhooks are forms, and `part` of the arrival's envelope says which of them it was.

The call goes by the CallSid of who calls, each telephone that rings by its own as a leg. A call begun here goes by our id,
which comes back in the addresses that we gave along. https://www.twilio.com/docs/voice/twiml
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from domain.arriving.inbound import Arrival, CallStep, Inbound, InboundAttachment, InboundCall, Unread
from domain.customers.contacts import Claim, IdentityKind, phone_number
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.phone.twilio.consent import Consent
from integrations.storable import storable

WITHHELD = {"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"}
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a keypad: numbers that are none."""
UNANSWERED = {"busy", "no-answer", "failed", "canceled"}
FUTURE = timedelta(minutes=5)


@dataclass(frozen=True)
class Told:
    """One webhook."""

    form: dict[str, str]
    query: dict[str, str]
    received_at: datetime
    region: str | None

    @classmethod
    def of(cls, body: bytes, query: str, *, at: datetime, region: str | None) -> "Told":
        form = {
            name: storable(value).strip()[:2000] for name, value in parse_qsl(body.decode("utf-8", "replace"))
        }
        return cls(form, dict(parse_qsl(query)), at, region)

    @property
    def call_id(self) -> str:
        return self.query.get("call") or self.form.get("ParentCallSid") or self.form.get("CallSid", "")

    @property
    def begun_here(self) -> bool:
        return "call" in self.query

    @property
    def leg(self) -> str:
        """ "" for the line of who calls, or of the agent in a call begun here."""
        aside = "ParentCallSid" in self.form or self.query.get("side") == "customer"
        return self.form.get("CallSid", "") if aside else ""

    @property
    def at(self) -> datetime:
        """Twilio's own word, to the second; not one that lies ahead."""
        try:
            at = parsedate_to_datetime(self.form["Timestamp"])
        except (KeyError, ValueError, TypeError):
            return self.received_at
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at if at < self.received_at + FUTURE else self.received_at

    def step(self, step: CallStep, **more: Any) -> InboundCall:
        told = {"at": self.at, "claim": None, "leg": self.leg, "outgoing": self.begun_here}
        return InboundCall(call_id=self.call_id, step=step, **{**told, **more})


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    query, region = str(arrival.envelope.get("query", "")), channel.config.get("region")
    told = Told.of(arrival.raw, query, at=arrival.received_at, region=region)
    match arrival.envelope.get("part"):
        case "":
            yield rings(told)
        case "status":
            yield _status(told)
        case "dialled":
            yield from _dialled(told)
        case "menu":
            pressed = (told.form.get("Digits") or told.form.get("SpeechResult", ""))[:100]
            yield told.step(CallStep.PRESSED, pressed=pressed)
        case "consent":
            yield _consent(told)
        case "recording":
            yield _recording(told)
        case "goodbye":
            yield told.step(CallStep.ENDED, cause="voicemail")
        case "connect":
            yield Unread("the agent's telephone was picked up: the customer's rings next")
        case other:
            yield Unread(f"nothing is known of {other}")


def rings(told: Told) -> InboundCall:
    caller = told.form.get("From", "")
    number = None if caller in WITHHELD else phone_number(caller, region=told.region)
    return told.step(
        CallStep.RINGING,
        claim=Claim(IdentityKind.PHONE, number, None) if number else None,
        withheld=number is None,
        number=number or ("" if caller in WITHHELD else caller[:100]),
        dialled=phone_number(told.form.get("To", ""), region=told.region) or "",
    )


def _status(told: Told) -> InboundCall | Unread:
    status, to = told.form.get("CallStatus", ""), told.form.get("To", "")
    if told.begun_here:
        return _status_of_ours(told, status, to)
    match status:
        case "ringing" | "initiated" | "queued":
            return told.step(CallStep.RINGING, ringing=(to,)) if told.leg else rings(told)
        case "in-progress":
            if told.leg:
                return told.step(CallStep.ANSWERED, agent=to)
            return Unread("our own greeting took it, which is no answer")
        case "completed" | "busy" | "no-answer" | "failed" | "canceled":
            if told.leg:
                return told.step(CallStep.ENDED, cause=status)
            # Who calls is said here too: its first webhook may never have come through.
            return replace(rings(told), step=CallStep.ENDED, cause=status)
        case _:
            return Unread(f"a status of a call that is not known: {status}")


def _status_of_ours(told: Told, status: str, to: str) -> InboundCall | Unread:
    """The agent's telephone is picked up first, and only the customer answers."""
    match status:
        case "ringing" | "initiated" | "queued":
            return told.step(CallStep.RINGING, ringing=() if told.leg else (to,))
        case "in-progress":
            if told.leg:
                return told.step(CallStep.ANSWERED)
            return Unread("the agent's telephone was picked up")
        case "completed" | "busy" | "no-answer" | "failed" | "canceled":
            return told.step(CallStep.ENDED, cause=status)
        case _:
            return Unread(f"a status of a call that is not known: {status}")


def _dialled(told: Told) -> Iterator[InboundCall | Unread]:
    """What came of all telephones that rang. The status of the one that was picked up may be lost, so this says it too."""
    status, leg = told.form.get("DialCallStatus", ""), told.form.get("DialCallSid", "")
    if status == "completed":
        talked = told.form.get("DialCallDuration", "")
        since = told.at - timedelta(seconds=int(talked) if talked.isdecimal() and len(talked) < 6 else 0)
        yield told.step(CallStep.ANSWERED, leg=leg, at=since)
        yield told.step(CallStep.ENDED, cause=status)
    elif status in UNANSWERED and told.begun_here:
        yield told.step(CallStep.ENDED, cause=status)
    else:
        yield Unread(f"nobody took it ({status}): what comes next is ours to say")


def _consent(told: Told) -> InboundCall | Unread:
    pressed = told.form.get("Digits", "")
    if not pressed:
        return Unread("no key was pressed")
    agreed = Consent.of(told.query) if pressed == "1" else None
    return told.step(CallStep.PRESSED, pressed=pressed[:20], consent=agreed.evidence() if agreed else "")


def _recording(told: Told) -> InboundCall | Unread:
    consent = Consent.of(told.query)
    if consent is None:
        return Unread("a recording to which nobody has agreed: it is not fetched")
    url, sid = told.form.get("RecordingUrl", ""), told.form.get("RecordingSid", "")
    if told.form.get("RecordingStatus", "completed") != "completed" or not url:
        return Unread("no recording was made")
    is_voicemail = told.query.get("kind") == "voicemail"
    return told.step(
        CallStep.VOICEMAIL if is_voicemail else CallStep.RECORDED,
        leg="",
        consent=consent.evidence(),
        recording=InboundAttachment(
            name=f"{'voicemail' if is_voicemail else 'call'}-{sid[-8:]}.mp3",
            mime="audio/mpeg",
            url=f"{url}.mp3",
        ),
    )
