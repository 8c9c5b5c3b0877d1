"""A message that came in, as it is written down."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving import copies
from domain.arriving.inbound import Arrival, InboundMessage
from domain.arriving.quoting import without_ours
from domain.arriving.repetition import digest_of
from domain.customers import name_lookups
from domain.customers.people import Person
from domain.db import Json, new_id, ring
from domain.desk.messages import FETCHES, Attachment, Direction, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ways_in.channels import Channel, ChannelKind


async def written(
    session: AsyncSession,
    channel: Channel,
    arrival: Arrival,
    said: InboundMessage,
    thread: Thread,
    ticket: Ticket,
    person: Person | None,
) -> Message:
    is_mail = channel.kind == ChannelKind.EMAIL
    message = Message(
        id=new_id(),
        ticket_id=ticket.id,
        contact_id=thread.contact_id,
        thread_id=thread.id,
        channel_id=channel.id,
        direction=Direction.OUT if said.from_shop else Direction.IN,
        author=_author(channel, said, person),
        at=said.at,
        text=said.text,
        folded=await _folded(session, said, thread),
        html=said.html,
        external_id=said.external_id,
        arrival_id=arrival.id,
        automatic=said.automatic,
        sender_verified=person is not None and person.proof is not None,
        mail=_by_mail(said) if is_mail else None,
        particulars=said.particulars,
        digest=digest_of(said.folded or said.text) if is_mail else None,
    )
    session.add(message)
    _attach(session, message, said)
    return message


def _author(channel: Channel, said: InboundMessage, person: Person | None) -> str:
    looked_up = ""
    if person and person.identity and channel.kind in name_lookups.LOOKED_UP:
        looked_up = person.identity.name
    return said.sender_name or looked_up or next((claim.label for claim in said.claims), "")


def _by_mail(said: InboundMessage) -> Json:
    by_mail: Json = {
        copies.SENDER: said.claims[0].value,
        "references": [*reversed(said.references)],
        "subject": said.subject,
        "to": [[one.name, one.address] for one in said.to],
        "cc": [[one.name, one.address] for one in said.cc],
    }
    return by_mail | ({"from_ourselves": True} if said.from_ourselves else {})


async def _folded(session: AsyncSession, said: InboundMessage, thread: Thread) -> str | None:
    """What a mail says without what it quotes, also of what we sent last; none where that is all of it."""
    if not said.references and not said.thread_number:
        return said.folded
    sent = await session.scalars(
        select(Message.text)
        .where(Message.thread_id == thread.id, Message.direction == Direction.OUT)
        .order_by(Message.seq.desc())
        .limit(3)
    )
    folded = without_ours(said.folded or said.text, sent.all())
    return folded if folded != said.text else None


def _attach(session: AsyncSession, message: Message, said: InboundMessage) -> None:
    for attached in said.attachments:
        session.add(
            Attachment(
                id=new_id(),
                item_id=message.id,
                name=attached.name,
                mime=attached.mime,
                bytes=len(attached.content or b""),
                file=attached.file,
                source_url=attached.url,
                content_id=attached.content_id,
                inline=attached.inline,
                due_at=func.now() if attached.url else None,
            )
        )
        if attached.url:
            ring(session, FETCHES.topic)
