"""A macro at work on a ticket: what it says, sent or left to its writer, and what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import events
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.answering import replies
from domain.desk.messages import Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import CannotReply, Refused, SomebodyAnswered
from domain.events import Event, EventKind, Place
from domain.keys import Keys
from domain.languages import N_
from domain.macros.actions import Action, SetStatus, Snooze
from domain.macros.doing import do
from domain.macros.filling import Known
from domain.macros.macros import Macro
from domain.macros.variables import Filled
from domain.sla import reckoning

ALL_SEEN = 2**62
"""What is newer was asked for by the place in the feed."""
ADDS = (
    EventKind.MESSAGE_RECEIVED,
    EventKind.MESSAGE_QUEUED,
    EventKind.NOTE_ADDED,
    EventKind.CALL_CHANGED,
    EventKind.MESSAGE_EDITED,
    EventKind.TICKET_MERGED,
)
"""What makes a ticket another than it was read."""


class OtherChannel(CannotReply):
    code = "MACRO_OTHER_CHANNEL"
    sentence = N_("This macro is not meant for the channel {name}.")


class Incomplete(Refused):
    code = "MACRO_INCOMPLETE"
    sentence = N_("Nothing stands for {names} here, and the macro has no other word for it.")


class NotReached(Refused):
    code = "MACRO_NOT_REACHED"
    sentence = N_(
        "There was no time left for this ticket: nothing was done to it. Use the macro on the rest again."
    )


@dataclass(frozen=True)
class Words:
    """Of a macro, for one customer."""

    language: str
    filled: Filled


@dataclass(frozen=True)
class Ran:
    words: Words | None
    message: Message | None


@dataclass(frozen=True)
class Sending:
    keys: Keys
    seen: Place
    """Up to where in the feed the asker has read."""
    undo_for: timedelta = timedelta(0)


def words_of(macro: Macro, known: Known, agent: Agent, *, at: datetime) -> Words | None:
    language = known.language(macro)
    if language is None:
        return None
    return Words(language, known.filled(macro.bodies[language], agent, language, at=at))


async def run(
    session: AsyncSession,
    macro: Macro,
    ticket: Ticket,
    known: Known,
    agent: Agent,
    sending: Sending | None,
    *,
    by: Actor,
    at: datetime,
) -> Ran:
    """`ticket` is held by the caller. Without `sending` the words are only given back."""
    words, actions, message = words_of(macro, known, agent, at=at), macro.does(), None
    if sending and words:
        message = await _answer(
            session, macro, ticket, known, words, sending, _status_of(actions), by=by, at=at
        )
        actions = [one for one in actions if not isinstance(one, SetStatus)]
    language = words.language if words else by.locale
    for action in actions:
        await do(
            session,
            ticket,
            action,
            filled=lambda text: known.filled(text, agent, language, at=at).text,
            by=by,
            at=at,
        )
    if actions:
        await reckoning.reckon(session, ticket, by=by, at=at)
    return Ran(words, message)


def _status_of(actions: Sequence[Action]) -> TicketStatus | None:
    """It goes along with the answer, so that whoever takes that back has the status back too: what sleeps is pending."""
    for action in reversed(actions):
        match action:
            case SetStatus(status):
                return status
            case Snooze():
                return TicketStatus.PENDING
    return None


async def _answer(
    session: AsyncSession,
    macro: Macro,
    ticket: Ticket,
    known: Known,
    words: Words,
    sending: Sending,
    status: TicketStatus | None,
    *,
    by: Actor,
    at: datetime,
) -> Message:
    if known.identity is None:
        raise CannotReply
    if known.channel and not macro.fits(known.channel.kind):
        raise OtherChannel(name=known.channel.name)
    if words.filled.gaps:
        raise Incomplete(names=", ".join(dict.fromkeys(gap.name for gap in words.filled.gaps)))
    if await _is_behind(session, ticket, sending.seen, by):
        raise SomebodyAnswered
    return await replies.send(
        session,
        sending.keys,
        ticket,
        to=known.identity,
        text=words.filled.text,
        by=by,
        at=at,
        last_seen_seq=ALL_SEEN,
        after=status,
        undo_for=sending.undo_for,
    )


async def _is_behind(session: AsyncSession, ticket: Ticket, seen: Place, reader: Actor) -> bool:
    """Has somebody else added to it since? Asked of everything committed: nobody adds while the ticket is held."""
    newer = select(Event.seq).where(
        Event.ticket_id == ticket.id,
        Event.kind.in_(ADDS),
        Event.actor_id.is_distinct_from(reader.id),
        ~events.up_to(seen),
    )
    return await session.scalar(newer.limit(1)) is not None
