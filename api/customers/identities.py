"""By what a customer is known, and whether that can be answered to."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Select, and_, exists, func, select

from api.columns import Columns
from api.computed import computed
from api.context import Reading, by
from api.node import Node
from api.selection import Selection
from domain.answering import reply_windows
from domain.answering.carrying import CHANNEL_OF
from domain.answering.reply_windows import A_PERSON, ANYBODY
from domain.customers import contacts
from domain.customers.consents import Consent
from domain.customers.contacts import IdentityKind, Proof
from domain.db import one_of, one_of_given
from domain.desk.threads import Thread
from domain.ids import public_id
from domain.languages import translate
from domain.ways_in.channels import Channel, ChannelKind

CHANNELS = {**CHANNEL_OF, IdentityKind.PHONE: ChannelKind.PHONE}
"""By which each is shown; a number that text messages go to as that of SMS."""


@strawberry.type(description="`closesAt` null: always open.")
class ReplyWindow:
    is_open: bool
    closes_at: datetime | None
    human_agent_until: datetime | None = strawberry.field(
        description="Of Messenger: until then `messageSend` takes what a person wrote, with `humanAgent`, although it is closed."
    )
    reason: str | None = strawberry.field(
        description="Why it is closed, in the reader's language; null while it is open."
    )


@strawberry.type(
    description="One way in which the customer is known: an address, a number, a Messenger person."
)
class Identity(Node):
    channel: ChannelKind
    label: str
    verified: bool
    verified_by: str | None = strawberry.field(description="What proved it, as a code.")
    can_reply: bool
    reply_window: ReplyWindow | None
    last_used_at: datetime | None
    bounced_at: datetime | None = strawberry.field(
        description="Since when our mail comes back from there, twice at least, because there is nobody: `messageSend` wants `force`."
    )
    stopped_at: datetime | None = strawberry.field(
        description="Since when whoever has this number wants no text messages of the number of ours that would answer: `messageSend` refuses, as `RECIPIENT_STOPPED`."
    )
    call_url: str | None = strawberry.field(
        description="Of a number: opens the telephone of whoever taps it. `callStart` calls by the shop's own line."
    )
    row_id: strawberry.Private[uuid.UUID]
    contact_id: strawberry.Private[uuid.UUID]
    kind: strawberry.Private[IdentityKind]
    scope: strawberry.Private[str]
    value: strawberry.Private[str]
    proof: strawberry.Private[Proof | None]
    last_inbound_at: strawberry.Private[datetime | None]
    has_begun: strawberry.Private[bool]
    is_texted: strawberry.Private[bool]
    reading: strawberry.Private[Any]


def each_once(identities: list[Identity]) -> list[Identity]:
    """Of an address that contacts brought twice when they became one, the proven row."""
    shown: dict[tuple[Any, ...], Identity] = {}
    for identity in identities:
        key = (identity.contact_id, identity.kind, identity.scope, identity.value)
        known = shown.setdefault(key, identity)
        if identity.verified and not known.verified:
            shown[key] = identity
    return list(shown.values())


async def identities_where(
    reading: Reading, condition: ColumnElement[bool], values: Mapping[str, Any], selection: Selection
) -> list[Identity]:
    """What can be shown and answered to: the shop's own customer ids are neither. The condition is one that is kept, and given values."""
    found = await reading.connection.objects(Identity, _rows(condition, COLUMNS.asked(selection)), values)
    for identity in found:
        identity.reading = reading
    return found


async def identities_of(
    reading: Reading, contact_ids: list[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[Identity]]:
    found = await identities_where(reading, _of_contacts, {"ids": contact_ids}, selection)
    groups = by("contact_id", found)
    return {id: each_once(group) if len(group) > 1 else group for id, group in groups.items()}


@lru_cache(100)
def _rows(condition: ColumnElement[bool], asked: frozenset[str]) -> Select[Any]:
    rows = select(*COLUMNS.of(asked)).where(one_of(_table.kind, CHANNELS), condition)
    return rows.order_by(_table.created_at)


IS_TEXTED = (Channel.kind == ChannelKind.SMS, Channel.disabled_at.is_(None))
SAID_THERE = and_(Consent.channel_id == Thread.channel_id, Consent.number == Thread.key)

_table = contacts.Identity.__table__.c
_of_contacts = one_of_given(_table.contact_id)
_its_threads = Thread.identity_id == _table.id
_begun = exists().where(_its_threads, Channel.id == Thread.channel_id, Channel.disabled_at.is_(None))
_is_texted = _begun.where(Channel.kind == ChannelKind.SMS).label("is_texted")
_last_inbound_at = (
    select(func.max(Thread.last_inbound_at)).where(_its_threads).scalar_subquery().label("last_inbound_at")
)
_stopped_at = (
    select(Consent.stopped_at)
    .select_from(Thread)
    .join(Channel, and_(Channel.id == Thread.channel_id, *IS_TEXTED))
    .outerjoin(Consent, SAID_THERE)
    .where(_its_threads)
    .order_by(Thread.last_inbound_at.desc().nulls_last())
    .limit(1)
    .scalar_subquery()
    .label("stopped_at")
)
"""At the number of ours that it wrote to last, by which a conversation would begin."""
COLUMNS = Columns(
    (
        _table.id.label("row_id"),
        _table.contact_id,
        _table.kind,
        _table.scope,
        _table.value,
        _table.verified_at.is_not(None).label("verified"),
    ),
    {
        "channel": _is_texted,
        "label": _table.label,
        "verifiedBy": _table.verified_by.label("proof"),
        "canReply": (_last_inbound_at, _begun.label("has_begun"), _is_texted, _stopped_at),
        "replyWindow": _last_inbound_at,
        "lastUsedAt": _table.last_used_at,
        "bouncedAt": _table.bounced_at,
        "stoppedAt": _stopped_at,
    },
)


def _can_reply(identity: Identity) -> bool:
    match identity.kind:
        case IdentityKind.EMAIL:
            return True
        case IdentityKind.PHONE:
            return identity.is_texted and identity.stopped_at is None
        case IdentityKind.MESSENGER:
            return identity.has_begun and reply_windows.is_open(identity.last_inbound_at, identity.reading.at)
        case _:
            return identity.has_begun


def _reply_window(identity: Identity) -> ReplyWindow | None:
    if identity.kind != IdentityKind.MESSENGER:
        return None
    last, reading = identity.last_inbound_at, identity.reading
    is_open = reply_windows.is_open(last, reading.at)
    return ReplyWindow(
        is_open=is_open,
        closes_at=last + ANYBODY if last else None,
        human_agent_until=last + A_PERSON if last else None,
        reason=None if is_open else translate(reading.locale, reply_windows.why_closed(last, reading.at)),
    )


computed(
    Identity,
    id=lambda identity: public_id("Identity", identity.row_id),
    channel=lambda identity: ChannelKind.SMS if identity.is_texted else CHANNELS[identity.kind],
    verified_by=lambda identity: identity.proof.value.upper() if identity.proof else None,
    can_reply=_can_reply,
    reply_window=_reply_window,
    call_url=lambda identity: f"tel:{identity.value}" if identity.kind == IdentityKind.PHONE else None,
)
