"""Is this message here already? And the same mail to two of our mailboxes, which is one message."""

import hashlib
from dataclasses import replace

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving.inbound import InboundMessage
from domain.arriving.ourselves import mailboxes_among
from domain.db import one_at_a_time
from domain.desk.messages import Direction, Item, Message
from domain.ways_in.channels import Channel, ChannelKind

SENDER = "from"
"""In `Message.mail`, the address it came from: the same words from somebody else are another mail."""


async def hold(session: AsyncSession, said: InboundMessage) -> None:
    """Until the transaction ends nobody else deals with a mail of this Message-ID, whichever mailbox it came to."""
    await one_at_a_time(session, f"mail\n{said.external_id}")


async def unheard(session: AsyncSession, channel: Channel, said: InboundMessage) -> InboundMessage | None:
    """The message, unless it is here already. Another mail under a Message-ID that is known is another mail."""
    mail = Item.__table__.c.mail
    here = select(Item.text, Item.author, mail[SENDER].astext).where(Item.channel_id == channel.id)
    known = (await session.execute(here.where(Item.external_id == said.external_id))).one_or_none()
    if known is None:
        return said
    text, author, sender = known
    if channel.kind != ChannelKind.EMAIL or (
        (text, author) == (said.text, _author(said)) and sender in (None, said.claims[0].value)
    ):
        return None
    other = replace(said, external_id=_other_id(said))
    again = await session.scalar(here.where(Item.external_id == other.external_id).limit(1))
    return None if again is not None else other


async def join_copy(session: AsyncSession, channel: Channel, said: InboundMessage) -> str | None:
    """Where the same mail came to another mailbox of ours before, that message says so. Why it is not placed again."""
    sender = Message.mail[SENDER].astext
    found = await session.execute(
        select(Message, Channel.address)
        .join(Channel, Channel.id == Message.channel_id)
        .where(
            Message.external_id.in_((said.external_id, _other_id(said))),
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
