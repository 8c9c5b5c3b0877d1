"""What agents write down about a contact, whatever the ticket: the customer never sees it."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor, ActorKind
from domain.customers.contacts import Contact
from domain.db import Base, new_id, session_of
from domain.errors import InvalidInput, NotAllowed
from domain.languages import N_


class ContactNote(Base):
    __tablename__ = "contact_note"
    __table_args__ = (Index("ix_contact_note_contact", "contact_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"))
    """Whom it was written about; after a merge it is read with the survivor's."""
    agent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    author: Mapped[str]
    """A token's name; an agent's own is read from the agent."""
    at: Mapped[datetime]
    text: Mapped[str]

    def delete(self, contact: Contact, *, by: Actor, at: datetime) -> None:
        """For ever. An agent deletes what they wrote themselves; who manages, and a token, any."""
        if by.kind == ActorKind.AGENT and not by.manages and self.agent_id != by.id:
            raise NotAllowed
        contact.tell_change(["notes"], by=by, at=at)
        session_of(self).delete(self)


def add_note(session: AsyncSession, contact: Contact, text: str, *, by: Actor, at: datetime) -> ContactNote:
    if not text.strip():
        raise InvalidInput(N_("This may not be empty."), field=["text"])
    note = ContactNote(
        id=new_id(), contact_id=contact.id, agent_id=by.agent_id, author=by.name, at=at, text=text.strip()
    )
    session.add(note)
    contact.tell_change(["notes"], by=by, at=at)
    return note
