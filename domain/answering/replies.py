"""An agent's answer: may it go out, and what it does to the ticket. Which conversation carries it: `domain/answering/carrying.py`."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM, Actor
from domain.answering import reply_windows, texting, uploads
from domain.answering.addressing import read_addresses
from domain.answering.carrying import conversation_with
from domain.arriving.copies import SENDER
from domain.arriving.participants import is_accepted
from domain.customers.contacts import Identity, IdentityKind
from domain.customers.visitors import is_answered
from domain.db import Json, new_id, ring
from domain.desk.messages import OUTBOX, DeliveryState, Direction, Item, Message
from domain.desk.threads import Thread, news_of_chat
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import AddressBounces, CannotCarry, InvalidInput, IsSpam, SomebodyAnswered
from domain.events import EventKind
from domain.joining.subjects import answering, beginning
from domain.keys import Keys
from domain.languages import N_
from domain.sla import reckoning
from domain.telling import tell
from domain.ways_in.channels import Channel
from domain.working import drafts

REFERENCES = 20
TAKES_FILES = (IdentityKind.EMAIL, IdentityKind.CHAT, IdentityKind.MESSENGER)


@dataclass(frozen=True)
class Extras:
    """What an answer may have besides its words: most of it only a mail."""

    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    files: Sequence[uuid.UUID] = ()
    """Ids of uploads."""
    human_agent: bool = False
    """Of Messenger: a person's answer, for which its window is longer."""


NOTHING = Extras()


async def send(
    session: AsyncSession,
    keys: Keys,
    ticket: Ticket,
    *,
    to: Identity,
    text: str,
    by: Actor,
    at: datetime,
    last_seen_seq: int,
    force: bool = False,
    after: TicketStatus | None = None,
    extras: Extras = NOTHING,
    undo_for: timedelta = timedelta(0),
    by_channel: Channel | None = None,
) -> Message:
    """Queues the answer (a chat's is in the open socket at once). `ticket` is held by the caller.

    `undo_for`: how long it waits, so that it can be taken back. `by_channel`: of a conversation that begins now.
    """
    text = text if text.strip() else ""
    if not (text or extras.files):
        raise InvalidInput(N_("This may not be empty."), field=["text"])
    if ticket.spam_at:
        raise IsSpam(field=["ticketId"])
    if to.bounced_at and not force:
        raise AddressBounces(field=["identityId"])
    history = await reckoning.history_of(session, ticket)
    if not force and await newer_than(session, ticket, last_seen_seq, by):
        raise SomebodyAnswered(field=["lastSeenSeq"])
    thread, channel = await conversation_with(session, ticket, to, by=by, at=at, by_channel=by_channel)
    if to.kind == IdentityKind.MESSENGER:
        await reply_windows.check(
            session,
            ticket,
            thread,
            text=text,
            human_agent=extras.human_agent,
            by_person=by.agent_id is not None,
            at=at,
        )
    if to.kind == IdentityKind.PHONE:
        await texting.may_go(session, channel, to.value, text)
    if to.kind != IdentityKind.EMAIL:
        _no_copies(extras, files=to.kind in TAKES_FILES)
    message = queued(thread, text=text, by=by, at=at, undo_for=undo_for)
    match to.kind:
        case IdentityKind.EMAIL:
            message.external_id = message_id(keys, channel, thread, message)
            message.mail = await _mail(session, ticket, thread, to, extras)
        case IdentityKind.MESSENGER:
            message.particulars = {"human_agent": True} if extras.human_agent else None
        case IdentityKind.CHAT:
            said_at_once(session, thread, message)
            await is_answered(session, thread, channel)
        case _:
            pass
    session.add(message)
    if to.kind == IdentityKind.CHAT:
        await session.flush()
        thread.has_read(message.seq)
    await uploads.attach(session, message, extras.files, by=by, at_once=to.kind == IdentityKind.CHAT)
    ring(session, OUTBOX.topic)
    ticket.updated_at = at
    if after is None and ticket.status == TicketStatus.NEW:
        after = TicketStatus.OPEN
    message.tell(EventKind.MESSAGE_QUEUED, by=by, at=at, data=_before(ticket, after))
    history = history.going_on(message, channel.kind, after if after != ticket.status else None)
    ticket.change(by=by, at=at, status=after)
    await reckoning.reckon(session, ticket, by=by, at=at, history=history)
    await drafts.is_sent(session, ticket.id, by=by, at=at)
    return message


def queued(
    thread: Thread, *, text: str, by: Actor, at: datetime, undo_for: timedelta = timedelta(0)
) -> Message:
    """What the shop says in a conversation, about to leave by its channel."""
    return Message(
        id=new_id(),
        ticket_id=thread.ticket_id,
        contact_id=thread.contact_id,
        thread_id=thread.id,
        channel_id=thread.channel_id,
        direction=Direction.OUT,
        agent_id=by.agent_id,
        author=by.name,
        at=at,
        text=text,
        automatic=by == SYSTEM,
        delivery=DeliveryState.QUEUED,
        due_at=func.now() + undo_for,
    )


def said_at_once(session: AsyncSession, thread: Thread, message: Message) -> None:
    """In a chat: nothing is sent, the visitor's page reads it."""
    message.delivery, message.due_at = DeliveryState.SENT, None
    ring(session, news_of_chat(thread.key))


def _no_copies(extras: Extras, *, files: bool) -> None:
    if extras.files and not files:
        raise CannotCarry(field=["attachmentIds"])
    for given, field in ((extras.cc, "cc"), (extras.bcc, "bcc")):
        if given:
            raise CannotCarry(field=[field])


def _before(ticket: Ticket, after: TicketStatus | None) -> Json:
    """What `withdrawing` puts back."""
    if after is None or after == ticket.status:
        return {}
    solved_at, snoozed_until = (
        time and time.isoformat() for time in (ticket.solved_at, ticket.snoozed_until)
    )
    return {"status": [ticket.status, after], "solved_at": solved_at, "snoozed_until": snoozed_until}


async def newer_than(session: AsyncSession, ticket: Ticket, seq: int, reader: Actor) -> list[uuid.UUID]:
    """What others added to the ticket after the item the reader saw last."""
    asked = {"ticket_id": ticket.id, "seen": seq, "reader": reader.id, "program": reader.name or None}
    return list((await tell(session, _newer, asked)).scalars())


_item = Item.__table__.c
_newer = (
    select(_item.id)
    .where(
        _item.ticket_id == bindparam("ticket_id"),
        _item.seq > bindparam("seen"),
        _item.agent_id.is_distinct_from(bindparam("reader")),
        or_(_item.direction == Direction.IN, _item.author.is_distinct_from(bindparam("program", type_=Text))),
        _item.delivery.is_distinct_from(DeliveryState.UNDONE),
    )
    .order_by(_item.seq)
    .limit(50)
)


def message_id(keys: Keys, channel: Channel, thread: Thread, message: Message) -> str:
    """Ours for certain: it carries a signature. Without the angle brackets."""
    domain = (channel.address or "").rpartition("@")[2]
    local = f"t{thread.number}.{message.id.hex}"
    return f"{local}.{keys.sign('message-id', local)}@{domain}"


async def _mail(session: AsyncSession, ticket: Ticket, thread: Thread, to: Identity, extras: Extras) -> Json:
    cc = await read_addresses(session, extras.cc, field="cc", besides=[to.value])
    bcc = await read_addresses(session, extras.bcc, field="bcc", besides=[to.value, *cc])
    mail: Json = {"to": [["", to.value]], "cc": [["", one] for one in cc], "bcc": [["", one] for one in bcc]}
    return mail | await going_on(session, ticket, thread, thread.subject or ticket.subject)


async def going_on(session: AsyncSession, ticket: Ticket, thread: Thread, subject: str) -> Json:
    """`references`: the conversation's Message-IDs, oldest first, the last being the one this answers; which it `quotes`,
    where the customer wrote it, or who was accepted: what anybody else says is for the shop alone."""
    last = (await tell(session, _last, {"thread_id": thread.id})).first()
    if last is None:
        return {"references": [], "subject": beginning(subject, ticket.number)}
    references = [*(last.mail or {}).get("references", ()), last.external_id]
    if len(references) > REFERENCES:
        references = [references[0], *references[1 - REFERENCES :]]
    found: Json = {"references": references, "subject": answering(subject, ticket.number)}
    return found | ({"quotes": str(last.id)} if last.direction == Direction.IN else {})


_sender = Message.mail[SENDER].astext
_last = (
    select(Message.id, Message.external_id, Message.mail, Message.direction)
    .join(Thread, Thread.id == Message.thread_id)
    .outerjoin(Identity, Identity.id == Thread.identity_id)
    .where(
        Message.thread_id == bindparam("thread_id"),
        Message.external_id.is_not(None),
        Message.delivery.is_distinct_from(DeliveryState.UNDONE),
        or_(
            Thread.side,
            _sender.is_(None),
            _sender == Identity.value,
            Message.sender_verified.is_(True),
            is_accepted(Message.thread_id, _sender),
        ),
    )
    # "in" comes before "out": the customer's last mail, if there is one
    .order_by(Message.direction, Message.seq.desc())
    .limit(1)
)
