"""What the readers of all providers share: who sends, the message as we have it, and words made clean."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from domain.arriving.inbound import InboundAttachment, InboundMessage, Unreadable
from domain.customers.consents import Wish
from domain.customers.contacts import Claim, IdentityKind, phone_number
from domain.ways_in.channels import Channel
from integrations.objects import object_of
from integrations.sms.words import wish_of
from integrations.storable import storable

FEWEST_DIGITS = 7
"""Fewer are a short code: a service's, whom nobody can answer."""


def fields_of(raw: bytes) -> dict[str, Any]:
    """Of JSON, of a form or of a query."""
    try:
        if raw.lstrip()[:1] == b"{":
            return object_of(raw)
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=500))
    except ValueError as problem:
        raise Unreadable("neither JSON nor a form") from problem


@dataclass(frozen=True)
class Sender:
    """`claims` without any: a name, or a short code."""

    claims: tuple[Claim, ...]
    key: str
    name: str = ""


def sender_of(channel: Channel, written: Any) -> Sender:
    """Providers write 48600100200 for a number with its country."""
    shown = storable(written).strip()[:60]
    if not shown:
        raise ValueError("nobody sends it")
    digits = shown.removeprefix("+")
    if not digits.isdecimal() or len(digits) < FEWEST_DIGITS:
        return Sender((), shown, shown)
    number = phone_number(f"+{digits}", region=None) or phone_number(
        digits, region=channel.config.get("region")
    )
    if number is None:
        return Sender((), shown, shown)
    return Sender((Claim(IdentityKind.PHONE, number, None, label=number),), number)


def message(
    sender: Sender,
    *,
    id: str,
    text: str,
    at: datetime,
    attachments: tuple[InboundAttachment, ...] = (),
    stops: bool = False,
    starts: bool = False,
) -> InboundMessage:
    """`stops`, `starts`: the provider has understood so itself."""
    wish, word = wish_of(text) if not attachments else (None, "")
    if stops or starts:
        wish = Wish.STOP if stops else Wish.START
    return InboundMessage(
        external_id=id,
        claims=sender.claims,
        sender_name=sender.name,
        thread_key=sender.key,
        at=at,
        text=text,
        attachments=attachments,
        wish=wish if sender.claims else None,
        word=word,
    )


def moment(written: Any, *, otherwise: datetime) -> datetime:
    """In UTC where no zone is said; nothing was said in the future."""
    try:
        said_at = datetime.fromisoformat(str(written))
    except ValueError:
        return otherwise
    return min(said_at if said_at.tzinfo else said_at.replace(tzinfo=UTC), otherwise)


def own_id(written: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(written))
    except ValueError:
        return None
