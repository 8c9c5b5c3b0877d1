"""What Meta's events say. Every event of every entry of a batch is read, in the order in which they happened; what we do not
act on is kept and named.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.arriving.afterwards import (
    InboundEcho,
    InboundEdit,
    InboundReaction,
    InboundReceipt,
    InboundUnsent,
)
from domain.arriving.inbound import Arrival, Inbound, InboundLink, InboundMessage, Unread
from domain.customers.contacts import Claim, IdentityKind, Proof
from domain.db import Json
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.messenger.contents import files, words
from integrations.messenger.links import contact_of
from integrations.objects import object_of
from integrations.storable import storable

OURS = "heddle:"
"""`metadata` of what we sent ourselves: this, the message's id and, of a file, a colon and its number."""

_OURS = re.compile(OURS + r"([0-9a-f-]{36})(?::(\d{1,3}))?\Z")

PARTIES = {"sender", "recipient", "timestamp"}

HIDDEN_FIELDS = {"hop_context", "is_standby"}
"""Beside an event; they say nothing."""


def mark(message_id: uuid.UUID, part: int) -> str:
    return f"{OURS}{message_id}:{part}"


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    entries = object_of(arrival.raw).get("entry")
    if not isinstance(entries, list):
        yield Unread("no entry")
        return
    events: list[Any] = []
    for entry in entries:
        if not isinstance(entry, dict):
            yield Unread(f"an entry of another shape: {entry!r:.80}", failed=True)
            continue
        found = [(name, entry[name]) for name in ("messaging", "standby", "changes") if name in entry]
        for name, listed in found:
            if not isinstance(listed, list):
                yield Unread(f"{name} of another shape", failed=True)
            elif name == "changes":
                yield from (Unread(f"not acted on: changes of {_field(change)}") for change in listed)
            else:  # another app has the conversation, and we are told all the same
                events += listed
        if not found:
            yield Unread("no messaging in the entry")
    for event in sorted(events, key=_when):
        try:
            yield _event(_Page(channel, keys, arrival), event)
        except (KeyError, TypeError, ValueError, AttributeError) as oddity:
            yield Unread(f"an event of another shape: {oddity!r}", failed=True)


def _field(change: Any) -> str:
    return str(change.get("field"))[:40] if isinstance(change, dict) else "nothing"


def _when(event: Any) -> float:
    """What has no time of its own (a receipt) comes last."""
    said = _milliseconds(event.get("timestamp")) if isinstance(event, dict) else None
    return float("inf") if said is None else said


def _milliseconds(said: Any) -> float | None:
    """Since 1970. Some of Meta's own examples write them as words."""
    if isinstance(said, str) and said.isascii() and said.isdecimal() and len(said) < 20:
        return int(said)
    return said if isinstance(said, int | float) and not isinstance(said, bool) else None


@dataclass(frozen=True)
class _Page:
    channel: Channel
    keys: Keys
    arrival: Arrival

    def moment(self, milliseconds: Any) -> datetime:
        came_at, said = self.arrival.received_at, _milliseconds(milliseconds)
        if said is None:
            return came_at
        try:
            said_at = datetime.fromtimestamp(said / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            return came_at
        return min(said_at, came_at)  # nothing was said in the future

    def claims(self, person: str) -> tuple[Claim, ...]:
        scope, label = self.channel.address or "", f"Messenger {person[-4:]}"
        return (Claim(IdentityKind.MESSENGER, person, Proof.MESSENGER_PAGE, scope=scope, label=label),)

    def linked(self, referral: Any) -> uuid.UUID | None:
        ref = referral.get("ref") if isinstance(referral, dict) else None
        return contact_of(self.keys, self.channel, str(ref or ""), at=self.arrival.received_at)


def _event(page: _Page, event: dict[str, Any]) -> Inbound | Unread:
    said = {name: event[name] for name in event if name not in PARTIES | HIDDEN_FIELDS}
    known = {"message", "postback", "referral", "delivery", "read", "reaction", "message_edit"} & said.keys()
    if not known:
        return Unread(f"not acted on: {', '.join(sorted(said)) or 'nothing'}")
    parties = [str(event[side]["id"]) for side in ("sender", "recipient")]
    if page.channel.address not in parties:
        return Unread("an event of another page")
    by_shop = parties[0] == page.channel.address
    person = parties[by_shop]
    at = page.moment(event.get("timestamp"))
    if "message" in known:
        return _message(page, said["message"], person, at, by_shop=by_shop)
    if "postback" in known:
        return _pressed(page, said["postback"], person, at, stamp=event.get("timestamp"))
    if "message_edit" in known:
        edit = said["message_edit"]
        count = str(edit.get("num_edit") or 0)
        return InboundEdit(
            external_id=str(edit["mid"]),
            thread_key=person,
            at=at,
            text=storable(edit.get("text")),
            number=int(count) if count.isdecimal() and len(count) < 6 else 0,
            from_shop=by_shop,
        )
    if "reaction" in known:
        reaction = said["reaction"]
        given = reaction.get("action") != "unreact"
        return InboundReaction(
            external_id=str(reaction["mid"]),
            thread_key=person,
            at=at,
            emoji=storable(reaction.get("emoji") or reaction.get("reaction"))[:40] if given else "",
            from_shop=by_shop,
        )
    for name in ("delivery", "read"):
        if name in known:
            if not said[name]:
                return Unread(f"a {name} of nothing")
            return InboundReceipt(
                thread_key=person,
                read=name == "read",
                at=at,
                until=page.moment(said[name].get("watermark")),
                external_ids=tuple(map(str, said[name].get("mids") or ())),
            )
    linked = page.linked(said["referral"])
    if linked is None:
        return Unread("not acted on: referral")
    return InboundLink(claims=page.claims(person), linked_contact=linked, at=at)


def _message(
    page: _Page, message: dict[str, Any], person: str, at: datetime, *, by_shop: bool
) -> Inbound | Unread:
    mid = str(message["mid"])
    if message.get("is_deleted") or message.get("is_unsent"):
        return InboundUnsent(external_id=mid, thread_key=person, at=at, from_shop=by_shop)
    metadata = str(message.get("metadata") or "")
    if by_shop and metadata.startswith(OURS):
        ours = _OURS.match(metadata)
        if ours is None:
            return Unread("the echo of a message of ours that nobody knows")
        return InboundEcho(
            message_id=uuid.UUID(ours[1]), external_id=mid, thread_key=person, at=at, part=int(ours[2] or 0)
        )
    particulars: Json = {}
    if payload := (message.get("quick_reply") or {}).get("payload"):
        particulars["payload"] = storable(payload)
    if answers := (message.get("reply_to") or {}).get("mid"):
        particulars["reply_to"] = storable(answers)
    return InboundMessage(
        external_id=mid,
        claims=page.claims(person),
        at=at,
        thread_key=person,
        text=words(message, locale=str(page.channel.config.get("language") or "")),
        attachments=tuple(files(message)),
        linked_contact=page.linked(message.get("referral")),
        from_shop=by_shop,
        particulars=particulars or None,
    )


def _pressed(
    page: _Page, postback: dict[str, Any], person: str, at: datetime, *, stamp: Any
) -> InboundMessage:
    """A button: what stands on it is what the customer said."""
    payload = storable(postback.get("payload"))
    return InboundMessage(
        external_id=str(postback.get("mid") or f"postback:{person}:{stamp}"),
        claims=page.claims(person),
        at=at,
        thread_key=person,
        text=storable(postback.get("title")) or payload,
        linked_contact=page.linked(postback.get("referral")),
        particulars={"payload": payload} if payload else None,
    )
