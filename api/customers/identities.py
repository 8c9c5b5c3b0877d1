"""By what a customer is known, and whether that can be answered to."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, exists, func, select

from api.context import Reading, plain
from api.node import Node
from domain.answering import reply_windows
from domain.answering.carrying import CHANNEL_OF
from domain.answering.reply_windows import A_PERSON, ANYBODY
from domain.customers import contacts
from domain.customers.consents import Consent
from domain.customers.contacts import IdentityKind
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


def by_contact(identities: list[Identity]) -> dict[uuid.UUID, list[Identity]]:
    groups: dict[uuid.UUID, list[Identity]] = {}
    for identity in each_once(identities):
        groups.setdefault(identity.row.contact_id, []).append(identity)
    return groups


def each_once(identities: list[Identity]) -> list[Identity]:
    """Of an address that contacts brought twice when they became one, the proven row."""
    shown: dict[tuple[Any, ...], Identity] = {}
    for identity in identities:
        row = identity.row
        key = (row.contact_id, row.kind, row.scope, row.value)
        if key not in shown or (identity.verified and not shown[key].verified):
            shown[key] = identity
    return list(shown.values())


async def identities_where(reading: Reading, condition: ColumnElement[bool]) -> list[Identity]:
    """What can be shown and answered to: the shop's own customer ids are neither."""
    table = contacts.Identity.__table__
    theirs = Thread.identity_id == table.c.id
    last = select(func.max(Thread.last_inbound_at)).where(theirs).scalar_subquery()
    begun = exists().where(theirs, Channel.id == Thread.channel_id, Channel.disabled_at.is_(None))
    texted = begun.where(Channel.kind == ChannelKind.SMS)
    stopped = (
        select(func.max(Consent.stopped_at))
        .where(table.c.kind == IdentityKind.PHONE, Consent.number == table.c.value)
        .scalar_subquery()
    )
    rows = await reading.connection.execute(
        select(
            table,
            last.label("last_inbound_at"),
            begun.label("has_begun"),
            texted.label("is_texted"),
            stopped.label("stopped_at"),
        )
        .where(condition, table.c.kind.in_(CHANNELS))
        .order_by(table.c.created_at)
    )
    return [_identity(reading, row) for row in rows]


def _identity(reading: Reading, row: Any) -> Identity:
    window = None
    can_reply = row.has_begun or row.kind == IdentityKind.EMAIL
    if row.kind == IdentityKind.PHONE:
        can_reply = row.is_texted and row.stopped_at is None
    if row.kind == IdentityKind.MESSENGER:
        last = row.last_inbound_at
        is_open = reply_windows.is_open(last, reading.at)
        window = ReplyWindow(
            is_open=is_open,
            closes_at=last + ANYBODY if last else None,
            human_agent_until=last + A_PERSON if last else None,
            reason=None if is_open else translate(reading.locale, reply_windows.why_closed(last, reading.at)),
        )
        can_reply = can_reply and is_open
    return plain(
        Identity,
        {
            "id": public_id("Identity", row.id),
            "row": row,
            "channel": ChannelKind.SMS if row.is_texted else CHANNELS[row.kind],
            "label": row.label,
            "verified": row.verified_at is not None,
            "verified_by": row.verified_by.value.upper() if row.verified_by else None,
            "can_reply": can_reply,
            "reply_window": window,
            "last_used_at": row.last_used_at,
            "bounced_at": row.bounced_at,
            "stopped_at": row.stopped_at,
            "call_url": f"tel:{row.value}" if row.kind == IdentityKind.PHONE else None,
        },
    )
