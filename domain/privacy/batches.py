"""Whose is what in an original in which events of several people came together: Meta posts them so.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

import json
import uuid
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Select, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving.inbound import Arrival
from domain.chorus import Reads
from domain.customers.contacts import Identity, IdentityKind
from domain.customers.survivors import same_person
from domain.db import one_of
from domain.desk.threads import Thread
from domain.ways_in.channels import Channel, ChannelKind

EVENTS = ("messaging", "standby", "changes")

Wanted = Callable[[Any], bool]


async def psids_of(connection: Reads, contact_id: uuid.UUID) -> set[str]:
    """By which ids pages know the person."""
    known = select(Identity.value.label("psid")).where(
        Identity.kind == IdentityKind.MESSENGER, same_person(Identity.contact_id, contact_id)
    )
    return {row.psid for row in await connection.execute(union(known, talked_as(contact_id)))}


def talked_as(contact_id: uuid.UUID) -> Select[Any]:
    """Also where the identity turned out to be somebody else's, and an old conversation stayed."""
    return (
        select(Thread.key.label("psid"))
        .join(Channel, Channel.id == Thread.channel_id)
        .where(
            Channel.kind == ChannelKind.MESSENGER,
            Thread.key.is_not(None),
            same_person(Thread.contact_id, contact_id),
        )
    )


async def shared(
    session: AsyncSession, ids: Collection[uuid.UUID], psids: Collection[str]
) -> dict[uuid.UUID, tuple[bytes, bytes]]:
    """Of these originals, those in which others' events came: what is the person's, and the rest."""
    posted = (
        select(Arrival.id, Arrival.raw)
        .join(Channel, Channel.id == Arrival.channel_id)
        .where(one_of(Arrival.id, ids), Channel.kind == ChannelKind.MESSENGER, Arrival.raw != b"")
    )
    parts = {id: parted(raw, psids) for id, raw in await session.execute(posted)}
    return {id: (theirs, rest) for id, (theirs, rest) in parts.items() if rest}


def parted(raw: bytes, psids: Collection[str]) -> tuple[bytes, bytes]:
    """What names the person, and the rest, which is somebody else's or may be; b"" where there is none."""
    try:
        body = json.loads(raw)
    except ValueError:  # nobody can read an event in it
        return raw, b""
    theirs = _of_body(body, lambda event: _names(event, psids))
    rest = _of_body(body, lambda event: not _names(event, psids))
    return raw if theirs and not rest else theirs, raw if rest and not theirs else rest


def _of_body(body: Any, wanted: Wanted) -> bytes:
    if not isinstance(body, dict) or not isinstance(body.get("entry"), list):
        return json.dumps(body).encode() if wanted(body) else b""
    entries = [kept for entry in body["entry"] if (kept := _of_entry(entry, wanted)) is not None]
    return json.dumps(body | {"entry": entries}).encode() if entries else b""


def _of_entry(entry: Any, wanted: Wanted) -> Any:
    found = {name: entry[name] for name in EVENTS if name in entry} if isinstance(entry, dict) else {}
    if not found:
        return entry if wanted(entry) else None
    kept = {
        name: [event for event in (said if isinstance(said, list) else [said]) if wanted(event)]
        for name, said in found.items()
    }
    return entry | kept if any(kept.values()) else None


def _names(event: Any, psids: Collection[str]) -> bool:
    """Anywhere: an event that cannot be read has its parties in places of its own."""
    left = [event]
    while left:
        value = left.pop()
        if isinstance(value, dict | list):
            left += value.values() if isinstance(value, dict) else value
        elif str(value) in psids:
            return True
    return False
