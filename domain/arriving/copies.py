"""Is this message here already? And the same mail to two of our mailboxes, which is one message."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import asked
from domain.arriving.inbound import InboundMessage
from domain.arriving.ourselves import mailboxes_among
from domain.db import one_of_given
from domain.desk.messages import Direction, Item, Message
from domain.telling import tell
from domain.ways_in.channels import Channel, ChannelKind


class Known(NamedTuple):
    """What tells a mail from another under its Message-ID."""

    text: str
    author: str
    sender: str | None


SENDER = "from"
"""In `Message.mail`, the address it came from: the same words from somebody else are another mail."""


def name_of(external_id: str) -> str:
    """To hold: nobody else deals with a mail of this Message-ID meanwhile, whichever mailbox it came to."""
    return f"mail\n{external_id}"


async def unheard(session: AsyncSession, channel: Channel, said: InboundMessage) -> InboundMessage | None:
    """The message, unless it is here already. Another mail under a Message-ID that is known is another mail."""
    known = await asked(session, _known, (channel.id, said.external_id))
    if known is None:
        return said
    text, author, sender = known
    if channel.kind != ChannelKind.EMAIL or (
        (text, author) == (said.text, _author(said)) and sender in (None, said.claims[0].value)
    ):
        return None
    other = replace(said, external_id=_other_id(said))
    again = await asked(session, _known, (channel.id, other.external_id))
    return None if again is not None else other


Place = tuple[uuid.UUID, str]
"""A channel, and the id of a message there."""


async def _known(session: AsyncSession, places: Sequence[Place]) -> Mapping[Place, Known | None]:
    channels, ids = zip(*places, strict=True)
    found = await tell(session, _here, {"channels": list(set(channels)), "ids": list(set(ids))})
    known: dict[Place, Known | None] = {(row[0], row[1]): Known(*row[2:]) for row in found}
    return dict.fromkeys(places) | known


_item = Item.__table__.c
_here = select(
    _item.channel_id, _item.external_id, _item.text, _item.author, _item.mail[SENDER].astext
).where(one_of_given(_item.channel_id, "channels"), one_of_given(_item.external_id))


async def join_copy(session: AsyncSession, channel: Channel, said: InboundMessage) -> str | None:
    """Where the same mail came to another mailbox of ours before, that message says so. Why it is not placed again."""
    ids = (said.external_id, _other_id(said))
    if not any([await asked(session, _kept_anywhere, id) for id in ids]):
        return None
    sender = Message.mail[SENDER].astext
    found = await session.execute(
        select(Message, Channel.address)
        .join(Channel, Channel.id == Message.channel_id)
        .where(
            Message.external_id.in_(ids),
            Message.channel_id != channel.id,
            Message.direction == Direction.IN,
            Channel.kind == ChannelKind.EMAIL,
            Message.text == said.text,
            Message.author == _author(said),
            or_(sender.is_(None), sender == said.claims[0].value),
        )
        .limit(1)
        .with_for_update(of=Message)
    )
    row = found.one_or_none()
    if row is None:
        return None
    message, first = row
    mail, here = message.mail or {}, channel.address or channel.name
    message.mail = {**mail, "also": list(dict.fromkeys([*mail.get("also", ()), here]))}
    return f"the same mail came to {first}"


async def _kept_anywhere(session: AsyncSession, external_ids: Sequence[str]) -> Mapping[str, bool]:
    found = await tell(session, _kept, {"ids": list(external_ids)})
    here = set(found.scalars())
    return {id: id in here for id in external_ids}


_kept = select(_item.external_id).where(one_of_given(_item.external_id))


async def is_our_own(session: AsyncSession, said: InboundMessage) -> bool:
    """A mail that we sent, come back by way of another mailbox of ours or a list."""
    if not await mailboxes_among(session, [said.claims[0].value]):
        return False
    sent = select(Item.id).where(Item.external_id == said.external_id, Item.direction == Direction.OUT)
    return await session.scalar(sent.limit(1)) is not None


def _author(said: InboundMessage) -> str:
    return said.sender_name or said.claims[0].label


def _other_id(said: InboundMessage) -> str:
    known_by = f"{said.claims[0].value}\n{_author(said)}\n{said.text}"
    digest = hashlib.sha256(known_by.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{said.external_id}#{digest}"
