"""One conversation in one channel, and the rule that says which ticket it belongs to.

`place` is pure: it reads like the business. Every placing has a reason with a code; the screen shows it in words.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.contacts import Proof
from domain.db import Base, Json, new_id
from domain.languages import N_, translate


class JoinCode(StrEnum):
    OPENED_TICKET = "opened_ticket"
    AGENT_OPENED = "agent_opened"
    SAME_VERIFIED_ADDRESS = "same_verified_address"
    REPLY_ADDRESS = "reply_address"
    SIGNED_CHAT_IDENTITY = "signed_chat_identity"
    SAME_CHAT_SESSION = "same_chat_session"
    SAME_MESSENGER_PERSON = "same_messenger_person"
    MESSENGER_LINK = "messenger_link"
    LINKED_BY_AGENT = "linked_by_agent"
    CALLER_NUMBER = "caller_number"


SENTENCES = {
    JoinCode.OPENED_TICKET: N_("This conversation opened the ticket."),
    JoinCode.AGENT_OPENED: N_("An agent began this conversation from the ticket."),
    JoinCode.SAME_VERIFIED_ADDRESS: N_("The sender's verified address is this contact's."),
    JoinCode.REPLY_ADDRESS: N_("The mail came to the signed address that only our mail to this contact had."),
    JoinCode.SIGNED_CHAT_IDENTITY: N_("The shop's signature says that the chat visitor is this contact."),
    JoinCode.SAME_CHAT_SESSION: N_("The same browser session as this contact's earlier chat."),
    JoinCode.SAME_MESSENGER_PERSON: N_(
        "The same Messenger person as in this contact's earlier conversation."
    ),
    JoinCode.MESSENGER_LINK: N_("The conversation was opened by the signed link made for this contact."),
    JoinCode.LINKED_BY_AGENT: N_("An agent said that this is the same customer."),
    JoinCode.CALLER_NUMBER: N_("Only this contact has the caller's number. It is not verified."),
}


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
    joined_code: Mapped[JoinCode]
    joined_proof: Mapped[Proof | None]
    """What made its customer certain; none for who only claimed to be somebody."""
    joined_evidence: Mapped[Json] = mapped_column(default=dict)
    joined_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """The agent whose word it was; none when a rule decided."""
    joined_at: Mapped[datetime]
    last_inbound_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """Its ticket was closed: what comes next in this conversation is a new thread."""


def sentence(code: JoinCode, locale: str) -> str:
    return translate(locale, SENTENCES[code])


@dataclass(frozen=True)
class Placement:
    """`ticket_id` none: a new ticket."""

    ticket_id: uuid.UUID | None
    code: JoinCode


REASON_OF_PROOF = {
    Proof.MAIL_AUTHENTICATED: JoinCode.SAME_VERIFIED_ADDRESS,
    Proof.REPLY_ADDRESS: JoinCode.REPLY_ADDRESS,
    Proof.CHAT_SIGNATURE: JoinCode.SIGNED_CHAT_IDENTITY,
    Proof.CHAT_SESSION: JoinCode.SAME_CHAT_SESSION,
    Proof.MESSENGER_PAGE: JoinCode.SAME_MESSENGER_PERSON,
    Proof.MESSENGER_LINK: JoinCode.MESSENGER_LINK,
    Proof.AGENT: JoinCode.LINKED_BY_AGENT,
}


def place(*, proof: Proof | None, by_caller_number: bool, open_tickets: list[uuid.UUID]) -> Placement:
    """Where a conversation that begins now belongs: on the one open ticket of a person who is certain, else on its own.

    `proof` is what makes the sender certain in this very message; `open_tickets` are that contact's.
    """
    if len(open_tickets) == 1:
        if proof:
            return Placement(open_tickets[0], REASON_OF_PROOF[proof])
        if by_caller_number:
            return Placement(open_tickets[0], JoinCode.CALLER_NUMBER)
    return Placement(None, JoinCode.OPENED_TICKET)
