"""By what a customer is known, and whether that can be answered to."""

import uuid
from datetime import datetime
from functools import cache
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Select, exists, func, select

from api.computed import computed
from api.context import Reading, plain
from api.node import Node
from api.selection import Selection
from domain.answering import reply_windows
from domain.answering.carrying import CHANNEL_OF
from domain.answering.reply_windows import A_PERSON, ANYBODY
from domain.customers import contacts
from domain.customers.consents import Consent
from domain.customers.contacts import IdentityKind
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
        description="Since when whoever has this number wants no text messages: `messageSend` refuses, as `RECIPIENT_STOPPED`."
    )
    call_url: str | None = strawberry.field(
        description="Of a number: opens the telephone of whoever taps it. `callStart` calls by the shop's own line."
    )
    row: strawberry.Private[Any]
    reading: strawberry.Private[Any]


def each_once(identities: list[Identity]) -> list[Identity]:
    """Of an address that contacts brought twice when they became one, the proven row."""
    shown: dict[tuple[Any, ...], Identity] = {}
    for identity in identities:
        row = identity.row
        key = (row.contact_id, row.kind, row.scope, row.value)
        if key not in shown or (identity.verified and not shown[key].verified):
            shown[key] = identity
    return list(shown.values())


async def identities_where(
    reading: Reading, condition: ColumnElement[bool], selection: Selection
) -> list[Identity]:
    """What can be shown and answered to: the shop's own customer ids are neither."""
    rows = await reading.connection.execute(_rows(_asked(selection)).where(condition))
    return [_identity(reading, row) for row in rows]


async def identities_of(
    reading: Reading, contact_ids: list[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[Identity]]:
    rows = await reading.connection.execute(_theirs(_asked(selection)), {"ids": contact_ids})
    groups: dict[uuid.UUID, list[Identity]] = {}
    for identity in each_once([_identity(reading, row) for row in rows]):
        groups.setdefault(identity.row.contact_id, []).append(identity)
    return groups


def _asked(selection: Selection) -> frozenset[str]:
    return frozenset(column for column, fields in AROUND.items() if fields & selection.keys())


@cache
def _theirs(around: frozenset[str]) -> Select[Any]:
    return _rows(around).where(one_of_given(_table.contact_id))


@cache
def _rows(around: frozenset[str]) -> Select[Any]:
    beside = _around()
    return (
        select(*COLUMNS, *(beside[name].label(name) for name in sorted(around)))
        .where(one_of(_table.kind, CHANNELS))
        .order_by(_table.created_at)
    )


_table = contacts.Identity.__table__.c
COLUMNS = (
    _table.id,
    _table.contact_id,
    _table.kind,
    _table.scope,
    _table.value,
    _table.label,
    _table.verified_at,
    _table.verified_by,
    _table.last_used_at,
    _table.bounced_at,
)
AROUND = {
    "last_inbound_at": {"replyWindow", "canReply"},
    "has_begun": {"canReply"},
    "is_texted": {"canReply", "channel"},
    "stopped_at": {"canReply", "stoppedAt"},
}
"""What is read beside the row, and for which fields."""


def _around() -> dict[str, ColumnElement[Any]]:
    theirs = Thread.identity_id == _table.id
    begun = exists().where(theirs, Channel.id == Thread.channel_id, Channel.disabled_at.is_(None))
    stopped = select(func.max(Consent.stopped_at)).where(
        _table.kind == IdentityKind.PHONE, Consent.number == _table.value
    )
    return {
        "last_inbound_at": select(func.max(Thread.last_inbound_at)).where(theirs).scalar_subquery(),
        "has_begun": begun,
        "is_texted": begun.where(Channel.kind == ChannelKind.SMS),
        "stopped_at": stopped.scalar_subquery(),
    }


def _identity(reading: Reading, row: Any) -> Identity:
    return plain(
        Identity,
        {
            "reading": reading,
            "row": row,
            "label": row.label,
            "verified": row.verified_at is not None,
            "last_used_at": row.last_used_at,
            "bounced_at": row.bounced_at,
        },
    )


def _can_reply(identity: Identity) -> bool:
    row = identity.row
    match row.kind:
        case IdentityKind.EMAIL:
            return True
        case IdentityKind.PHONE:
            return bool(row.is_texted) and row.stopped_at is None
        case IdentityKind.MESSENGER:
            return bool(row.has_begun) and reply_windows.is_open(row.last_inbound_at, identity.reading.at)
        case _:
            return bool(row.has_begun)


def _reply_window(identity: Identity) -> ReplyWindow | None:
    row, reading = identity.row, identity.reading
    if row.kind != IdentityKind.MESSENGER:
        return None
    last = row.last_inbound_at
    is_open = reply_windows.is_open(last, reading.at)
    return ReplyWindow(
        is_open=is_open,
        closes_at=last + ANYBODY if last else None,
        human_agent_until=last + A_PERSON if last else None,
        reason=None if is_open else translate(reading.locale, reply_windows.why_closed(last, reading.at)),
    )


computed(
    Identity,
    id=lambda identity: public_id("Identity", identity.row.id),
    channel=lambda identity: ChannelKind.SMS if identity.row.is_texted else CHANNELS[identity.row.kind],
    verified_by=lambda identity: identity.row.verified_by.value.upper() if identity.row.verified_by else None,
    can_reply=_can_reply,
    reply_window=_reply_window,
    stopped_at=lambda identity: identity.row.stopped_at,
    call_url=lambda identity: (
        f"tel:{identity.row.value}" if identity.row.kind == IdentityKind.PHONE else None
    ),
)
