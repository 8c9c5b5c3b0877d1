"""One conversation in one channel, and the rule that says which ticket it belongs to.

`place` is pure: it reads like the business. Every placing has a reason with a code; the screen shows it in words.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.customers.contacts import Proof
from domain.db import Base, Json, new_id, ring, session_of
from domain.joining.matters import Matter
from domain.joining.reasons import JoinCode, MatterCode
from domain.joining.topics import are_apart
from domain.ways_in.channels import ChannelKind


class Thread(Base):
    __tablename__ = "thread"
    __table_args__ = (
        Index(
            "uq_thread_live_key",
            "channel_id",
            "key",
            unique=True,
            postgresql_where=text("key IS NOT NULL AND ended_at IS NULL"),
        ),
        Index("ix_thread_key", "channel_id", "key", postgresql_where=text("key IS NOT NULL")),
        Index("ix_thread_move", "move_id", postgresql_where=text("move_id IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    """Short enough for a mail address."""
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    key: Mapped[str | None]
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    identity_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("identity.id"), index=True)
    """Whom an answer goes to; none for a caller who withheld the number."""
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"), index=True)
    subject: Mapped[str] = mapped_column(default="", server_default="")
    side: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """With somebody else about the ticket: never the customer's own words."""
    joined_code: Mapped[JoinCode]
    joined_proof: Mapped[Proof | None]
    """What made its customer certain; none for who only claimed to be somebody."""
    joined_evidence: Mapped[Json] = mapped_column(default=dict)
    """`identity`; `matter`, a code, and the `number` that both named."""
    joined_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """The agent whose word it was; none when a rule decided."""
    joined_at: Mapped[datetime]
    move_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("move.id", use_alter=True))
    """The move that brought it here; none where it began here."""
    last_inbound_at: Mapped[datetime | None]
    delivered_until: Mapped[datetime | None]
    """By the provider's word, all that we sent up to then is with the customer; and this, read."""
    read_until: Mapped[datetime | None]
    split_from_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("thread.id"))
    """The conversation whose later part this is."""
    read_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """The shop's people have read it up to here; a chat's visitor is told so."""
    ended_at: Mapped[datetime | None]
    """Its ticket was closed: what comes next in this conversation is a new thread."""

    def has_read(self, seq: int) -> None:
        """Somebody of the shop."""
        if seq > self.read_seq:
            self.read_seq = seq
            ring(session_of(self), news_of_chat(self.key))


def news_of_chat(key: str | None) -> str:
    """What is rung when there is something new for a chat's visitor, by the key of the conversation."""
    return f"chat:{key}"


class Certainty(StrEnum):
    """How sure is it who begins this conversation?"""

    PROVEN = "proven"
    OFFICE = "office"
    """A proven address that people of a firm share."""
    CALLER = "caller"
    """The one contact that has the caller's number, which anybody can forge."""
    NONE = "none"


@dataclass(frozen=True)
class Windows:
    """How long after the last word of a ticket the same customer still means it."""

    same_channel: timedelta = timedelta(days=1)
    other_channel: timedelta = timedelta(days=3)
    """A visitor leaves the chat and writes a mail."""
    same_topic: timedelta = timedelta(days=14)
    same_subject: timedelta = timedelta(days=30)


DEFAULT_WINDOWS = Windows()


@dataclass(frozen=True)
class Case:
    """An earlier ticket of the same contact: open, or solved not long ago."""

    ticket_id: uuid.UUID
    matter: Matter
    channels: frozenset[ChannelKind]
    last_word_at: datetime
    is_live: bool = True
    is_certain: bool = True
    """Otherwise only somebody unproven wrote to it: a forged mail must not draw the customer's own words to it."""


@dataclass(frozen=True)
class Likeness:
    case: Case
    matter: MatterCode
    number: str = ""


@dataclass(frozen=True)
class Placement:
    """`ticket_id` none: a new ticket."""

    ticket_id: uuid.UUID | None
    code: JoinCode
    evidence: Json = field(default_factory=dict)
    may_be: tuple[Likeness | Case, ...] = ()
    """Tickets of the same contact to suggest, the likeliest first."""


STRENGTH = list(MatterCode)


def place(
    *,
    certainty: Certainty,
    code: JoinCode,
    said: Matter,
    channel: ChannelKind,
    at: datetime,
    cases: Sequence[Case],
    windows: Windows = DEFAULT_WINDOWS,
) -> Placement:
    """Where a conversation that begins now belongs: in the one ticket of the same person that is about the same matter,
    else in its own.

    `code` says why it is this person. Of several tickets that are as like, none: they are suggested.
    """
    live = [case for case in cases if case.is_live]
    if certainty == Certainty.CALLER:
        if len(live) == 1:
            return Placement(live[0].ticket_id, code, {"matter": MatterCode.ONLY_TICKET})
        return Placement(None, JoinCode.OPENED_TICKET, may_be=tuple(live))
    like = [
        found for case in cases if (found := likeness(said, case, channel=channel, at=at, windows=windows))
    ]
    like.sort(key=_rank)
    allowed = [found for found in like if found.case.is_certain and _suffices(found.matter, certainty)]
    may_mean = [case for case in live if not _contradict(said, case)]
    if len(may_mean) > 1:  # that it came soon after tells nothing: after which of them?
        allowed = [found for found in allowed if found.matter != MatterCode.SOON_AFTER]
    best = [found for found in allowed if _rank(found) == _rank(allowed[0])]
    if len(best) == 1:
        evidence: Json = {"matter": best[0].matter} | ({"number": best[0].number} if best[0].number else {})
        return Placement(best[0].case.ticket_id, code, evidence)
    known = {found.case.ticket_id for found in like}
    plausible = [case for case in may_mean if case.ticket_id not in known]
    return Placement(None, JoinCode.OPENED_TICKET, may_be=(*like, *plausible))


def likeness(
    said: Matter, case: Case, *, channel: ChannelKind, at: datetime, windows: Windows = DEFAULT_WINDOWS
) -> Likeness | None:
    """What makes this the matter of that ticket; none where nothing does, or something contradicts it."""
    silence = at - case.last_word_at
    is_apart = are_apart(said.topics, case.matter.topics)
    shared = said.shares(case.matter)
    if shared and (case.is_live or not is_apart):
        return Likeness(case, MatterCode.SAME_NUMBER, min(shared))
    if _contradict(said, case):
        return None
    if case.is_live and (code := said.repeats(case.matter)):
        return Likeness(case, MatterCode.SAME_NUMBER, code)
    if said.subject and said.subject in case.matter.subjects and silence <= windows.same_subject:
        return Likeness(case, MatterCode.SAME_SUBJECT)
    if not case.is_live:
        return None
    if said.topics & case.matter.topics and silence <= windows.same_topic:
        return Likeness(case, MatterCode.SAME_TOPIC)
    soon = windows.same_channel if channel in case.channels else windows.other_channel
    means_it = said.says_little or case.matter.says_little or said.goes_on or said.things & case.matter.things
    if silence <= soon and means_it:
        return Likeness(case, MatterCode.SOON_AFTER)
    return None


def _contradict(said: Matter, case: Case) -> bool:
    """Other orders, clearly other topics, or its own word that it is about something else."""
    return (
        said.is_another or are_apart(said.topics, case.matter.topics) or said.names_others_than(case.matter)
    )


def _suffices(matter: MatterCode, certainty: Certainty) -> bool:
    match certainty:
        case Certainty.PROVEN:
            return True
        case Certainty.OFFICE:
            return matter in (MatterCode.SAME_NUMBER, MatterCode.SAME_SUBJECT)
        case _:
            return False


def _rank(found: Likeness) -> tuple[int, bool]:
    return STRENGTH.index(found.matter), not found.case.is_live
