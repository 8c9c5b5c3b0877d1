"""What an Asterisk says of calls: events of its manager interface, each kept as JSON.

A call goes by its `Linkedid`, the `Uniqueid` of the channel with which it began: that of who calls. A call begun here goes by
an id of ours, for a channel's can be chosen. https://docs.asterisk.org/Asterisk_22_Documentation/API_Documentation/AMI_Events/
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from domain.arriving.inbound import Arrival, CallStep, Inbound, InboundCall, Unread
from domain.calling.dials import is_ours
from domain.customers.contacts import Claim, IdentityKind, phone_number
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.phone.asterisk.exchange import Exchange
from integrations.storable import storable

GONE = "HeddleGone"
"""Our own word for a call that had ended when we could hear the exchange again."""
ANSWERED = "ANSWER"
REASONS = {"0": "failed", "1": "no-answer", "3": "no-answer", "5": "busy", "8": "congested"}
"""Of an OriginateResponse, where Asterisk tells no more."""
SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Told:
    """One event."""

    event: dict[str, Any]
    exchange: Exchange
    region: str | None
    received_at: datetime

    def said(self, name: str) -> str:
        value = self.event.get(name)
        return storable(value).strip()[:200] if isinstance(value, str) else ""

    @property
    def name(self) -> str:
        return self.said("Event")

    @property
    def call_id(self) -> str:
        return call_id(self.event)

    @property
    def begins(self) -> bool:
        """Is it about the channel with which the call began?"""
        return self.said("Uniqueid") == self.call_id

    @property
    def at(self) -> datetime:
        """Asterisk's own word, with `timestampevents=yes`; not that of a clock that is wrong."""
        try:
            at = datetime.fromtimestamp(float(self.said("Timestamp")), UTC)
        except (ValueError, OverflowError, OSError):
            return self.received_at
        return at if abs(at - self.received_at) < SKEW else self.received_at

    def number(self, name: str) -> str | None:
        return phone_number(self.said(name), region=self.region)

    def step(self, step: CallStep, **more: Any) -> InboundCall:
        told = {"at": self.at, "claim": None, "outgoing": is_ours(self.call_id)}
        return InboundCall(call_id=self.call_id, step=step, **{**told, **more})


def call_id(event: dict[str, Any]) -> str:
    """ "" of an event that belongs to no call."""
    if event.get("Event") == "OriginateResponse":
        return str(event.get("ActionID", ""))
    for name in ("Linkedid", "TransfereeLinkedid", "OrigTransfererLinkedid", "TransfererLinkedid"):
        if value := event.get(name):
            return str(value)[:150]
    return ""


def follows(event: dict[str, Any], exchange: Exchange, region: str | None) -> bool:
    """Does a call begin here that is the shop's? Not one from desk to desk."""
    if not event.get("Uniqueid") or event["Uniqueid"] != event.get("Linkedid"):
        return False
    if is_ours(str(event["Uniqueid"])):
        return True
    context = event.get("Context")
    if context == exchange.inbound_context:
        return True
    dialled = phone_number(str(event.get("Exten", "")), region=region)
    return bool(exchange.outbound_context) and context == exchange.outbound_context and dialled is not None


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    exchange = Exchange.model_validate(channel.config)
    told = Told(orjson.loads(arrival.raw), exchange, channel.config.get("region"), arrival.received_at)
    match told.name:
        case "Newchannel":
            yield _begins(told)
        case "CoreShowChannel":
            # By now the dialplan may have taken it elsewhere than where it began.
            if follows(told.event, exchange, told.region):
                yield _begins(told)
            if told.said("BridgeId"):
                yield told.step(CallStep.ANSWERED)
        case "DialBegin":
            line = exchange.line_of(told.said("DestChannel"))
            ringing = (line,) if line and not told.step(CallStep.RINGING).outgoing else ()
            yield told.step(CallStep.RINGING, leg=told.said("DestUniqueid"), ringing=ringing)
        case "DialEnd":
            yield _dial_ended(told)
        case "BridgeEnter":
            yield _bridged(told)
        case "BlindTransfer" if told.said("Result") in ("", "Success"):
            yield told.step(CallStep.TRANSFERRED, agent=told.said("Extension") or None)
        case "AttendedTransfer":
            yield told.step(CallStep.TRANSFERRED, agent=exchange.line_of(told.said("TransferTargetChannel")))
        case "Hangup":
            leg = "" if told.begins else told.said("Uniqueid")
            yield told.step(CallStep.ENDED, leg=leg, cause=told.said("Cause-txt") or None)
        case "OriginateResponse":
            if told.said("Response") == "Success":
                yield Unread("the agent's telephone was picked up: the customer's rings next")
            else:
                yield told.step(CallStep.ENDED, cause=REASONS.get(told.said("Reason"), "failed"))
        case name if name == GONE:
            yield told.step(CallStep.ENDED, cause="gone")
        case other:
            yield Unread(f"an event that is not followed: {other}")


def _begins(told: Told) -> InboundCall:
    if is_ours(told.call_id):
        line = told.exchange.line_of(told.said("Channel"))
        return told.step(CallStep.RINGING, ringing=(line,) if line else ())
    outgoing = told.said("Context") != told.exchange.inbound_context
    number = told.number("Exten" if outgoing else "CallerIDNum")
    return told.step(
        CallStep.RINGING,
        claim=Claim(IdentityKind.PHONE, number, None) if number else None,
        withheld=number is None,
        number=number or told.said("CallerIDNum"),
        dialled="" if outgoing else told.number("Exten") or "",
        outgoing=outgoing,
    )


def _dial_ended(told: Told) -> InboundCall:
    leg, status = told.said("DestUniqueid"), told.said("DialStatus")
    if status == ANSWERED:
        return told.step(CallStep.ANSWERED, leg=leg, agent=_agent(told, "DestChannel"))
    return told.step(CallStep.ENDED, leg=leg, cause=status.lower() or None)


def _bridged(told: Told) -> InboundCall | Unread:
    """Music on hold, a parking lot and an announcement are bridges too: with one channel in them."""
    channels = told.said("BridgeNumChannels")
    if not channels.isdecimal() or int(channels) < 2 or told.said("BridgeTechnology").startswith("holding"):
        return Unread("nobody is at the other end of this bridge")
    if told.begins:
        return told.step(CallStep.ANSWERED)
    return told.step(CallStep.ANSWERED, leg=told.said("Uniqueid"), agent=_agent(told, "Channel"))


def _agent(told: Told, name: str) -> str | None:
    return told.exchange.line_of(told.said(name))
