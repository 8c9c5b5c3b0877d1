"""What Meta's events say. Every event of every entry of a batch is read; what we do not act on is kept and named."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from domain.channels import Channel
from domain.contacts import Claim, IdentityKind, Proof
from domain.inbound import (
    Arrival,
    Inbound,
    InboundAttachment,
    InboundLink,
    InboundMessage,
    InboundReceipt,
    Unread,
)
from domain.keys import Keys
from integrations.messenger.links import contact_of

OURS = "heddle:"
"""`metadata` of what we sent ourselves begins so: its echo tells nothing new."""

MIMES = {"image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4", "sticker": "image/png"}


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    batch = orjson.loads(arrival.raw)
    entries = batch.get("entry")
    if not isinstance(entries, list):
        yield Unread("no entry")
        return
    for entry in entries:
        events = entry.get("messaging") if isinstance(entry, dict) else None
        if not isinstance(events, list):
            yield Unread("no messaging in the entry")
            continue
        for event in events:
            try:
                yield _event(channel, keys, arrival, event)
            except (KeyError, TypeError, ValueError, AttributeError) as oddity:
                yield Unread(f"an event of another shape: {oddity!r}", failed=True)


def _event(channel: Channel, keys: Keys, arrival: Arrival, event: dict[str, Any]) -> Inbound | Unread:
    message: dict[str, Any] = event.get("message") or {}
    echo = bool(message.get("is_echo"))
    person = str(event["recipient" if echo else "sender"]["id"])
    if str(event["sender" if echo else "recipient"]["id"]) != channel.address:
        return Unread("an event of another page")
    at = _moment(event.get("timestamp"), otherwise=arrival.received_at)
    claims = (
        Claim(
            IdentityKind.MESSENGER,
            person,
            Proof.MESSENGER_PAGE,
            scope=channel.address or "",
            label=f"Messenger {person[-4:]}",
        ),
    )
    postback: dict[str, Any] = event.get("postback") or {}
    referral = event.get("referral") or postback.get("referral") or message.get("referral") or {}
    linked = contact_of(keys, channel, str(referral.get("ref") or ""), at=arrival.received_at)
    if message and not message.get("is_deleted"):
        if echo and str(message.get("metadata", "")).startswith(OURS):
            return Unread("the echo of our own message")
        return InboundMessage(
            external_id=str(message["mid"]),
            claims=claims,
            at=at,
            thread_key=person,
            text=_clean(message.get("text") or ""),
            attachments=tuple(_attachments(message.get("attachments") or [])),
            linked_contact=linked,
            from_shop=echo,
        )
    if postback:
        return InboundMessage(
            external_id=str(postback.get("mid") or f"postback:{person}:{event.get('timestamp')}"),
            claims=claims,
            at=at,
            thread_key=person,
            text=_clean(postback.get("title") or postback.get("payload") or ""),
            linked_contact=linked,
        )
    if linked:
        return InboundLink(claims=claims, linked_contact=linked, at=at)
    for name in ("delivery", "read"):
        if name in event:
            receipt = event[name]
            return InboundReceipt(
                thread_key=person,
                read=name == "read",
                at=at,
                until=_moment(receipt.get("watermark"), otherwise=at),
                external_ids=tuple(map(str, receipt.get("mids") or ())),
            )
    kinds = ", ".join(sorted(set(event) - {"sender", "recipient", "timestamp"})) or "nothing"
    return Unread(f"not acted on: {kinds}")


def _moment(milliseconds: Any, *, otherwise: datetime) -> datetime:
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool):
        return otherwise
    try:
        said_at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return otherwise
    return min(said_at, otherwise)  # nothing was said in the future


def _clean(text: str) -> str:
    return str(text).replace("\x00", "")


def _attachments(attached: list[dict[str, Any]]) -> Iterator[InboundAttachment]:
    for position, one in enumerate(attached, start=1):
        kind = str(one.get("type") or "file")
        url = (one.get("payload") or {}).get("url")
        if not url:
            continue
        name = urlsplit(str(url)).path.rpartition("/")[2] or f"{kind}-{position}"
        yield InboundAttachment(
            name=_clean(name), mime=MIMES.get(kind, "application/octet-stream"), url=_clean(str(url))
        )
