"""What an agent has begun to write on a ticket: theirs alone, one for each ticket, the newest words of whatever device.

An emptied draft stays as a row without words for a day: it knows when it was emptied, so that a late request of a phone does
not bring back what was sent or thrown away.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Uuid, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.customers.contacts import Identity
from domain.customers.survivors import same_person
from domain.db import Base, Json, new_id, one_of_given
from domain.desk.survivors import same_matter
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput, NotFound
from domain.languages import N_
from domain.telling import tell

LONGEST = 100_000
MOST = 50
"""Copies, or files."""
EMPTY_FOR = timedelta(days=1)


class Draft(Base):
    __tablename__ = "draft"
    __table_args__ = (
        Index("uq_draft", "ticket_id", "agent_id", unique=True),
        Index("ix_draft_empty", "written_at", postgresql_where=text("body = ''")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    """On which it was begun; after a merge it is read with the survivor's."""
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    identity_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("identity.id", ondelete="SET NULL"))
    """To whom; none of a note."""
    body: Mapped[str]
    cc: Mapped[list[str]]
    bcc: Mapped[list[str]]
    files: Mapped[list[str]]
    """Ids of uploads, which wait for a day."""
    written_at: Mapped[datetime]


@dataclass(frozen=True)
class Written:
    body: str
    identity_id: uuid.UUID | None = None
    cc: Collection[str] = ()
    bcc: Collection[str] = ()
    files: Collection[uuid.UUID] = ()


async def save(
    session: AsyncSession, ticket: Ticket, written: Written, *, by: Actor, written_at: datetime, at: datetime
) -> bool:
    """False where something newer is kept. `written_at` comes from a device, and is never in the future."""
    if len(written.body) > LONGEST:
        raise InvalidInput(N_("This is too long: at most {most} characters."), field=["body"], most=LONGEST)
    for given, field in ((written.cc, "cc"), (written.bcc, "bcc"), (written.files, "attachmentIds")):
        if len(given) > MOST:
            raise InvalidInput(N_("At most {most} at once."), field=[field], most=MOST)
    if written.identity_id and not await _is_theirs(session, written.identity_id, ticket):
        raise NotFound(field=["identityId"])
    says = bool(written.body.strip())
    values = {
        "identity_id": written.identity_id if says else None,
        "body": written.body if says else "",
        "cc": list(written.cc) if says else [],
        "bcc": list(written.bcc) if says else [],
        "files": [str(id) for id in written.files] if says else [],
        "written_at": min(written_at, at),
    }
    begun = insert(Draft).values(id=new_id(), ticket_id=ticket.id, agent_id=by.agent_id, **values)
    kept = await session.scalar(
        begun.on_conflict_do_update(
            index_elements=["ticket_id", "agent_id"],
            set_=values,
            where=Draft.written_at <= begun.excluded.written_at,
        ).returning(Draft.id)
    )
    if kept and not says:
        thrown_away = {"ticket": ticket.id, "agent": by.agent_id, "now": values["written_at"]}
        await tell(session, _emptied_until, thrown_away)
    return kept is not None


async def _is_theirs(session: AsyncSession, identity_id: uuid.UUID, ticket: Ticket) -> bool:
    known = select(Identity.id).where(
        Identity.id == identity_id, same_person(Identity.contact_id, ticket.contact_id)
    )
    return await session.scalar(known) is not None


async def is_sent(session: AsyncSession, ticket_id: uuid.UUID, *, by: Actor, at: datetime) -> None:
    """What was written has become an answer: also what a late request tells of only now."""
    if by.agent_id is None:
        return
    await tell(session, _sent, {"id": new_id(), "ticket": ticket_id, "agent": by.agent_id, "now": at})


async def is_noted(session: AsyncSession, ticket_id: uuid.UUID, *, by: Actor, at: datetime) -> None:
    """What was begun as a note has become one; an answer that was begun stays."""
    await tell(session, _noted, {"ticket": ticket_id, "agent": by.agent_id, "now": at})


_nothing: Json = {"identity_id": None, "body": "", "cc": [], "bcc": [], "files": []}
_emptied = (
    update(Draft)
    .where(
        same_matter(Draft.ticket_id, bindparam("ticket", type_=Uuid())), Draft.agent_id == bindparam("agent")
    )
    .values(**_nothing, written_at=bindparam("now"))
)
_emptied_until = _emptied.where(Draft.written_at <= bindparam("now"))
_noted = _emptied.where(Draft.identity_id.is_(None))
_empty = insert(Draft).values(
    id=bindparam("id"), ticket_id=bindparam("ticket"), agent_id=bindparam("agent"), **_nothing,
    written_at=bindparam("now"),
)  # fmt: skip
_sent = _empty.on_conflict_do_update(
    index_elements=["ticket_id", "agent_id"], set_={**_nothing, "written_at": _empty.excluded.written_at}
).add_cte(_emptied.where(Draft.ticket_id != bindparam("ticket")).cte("others"))


_matter = func.coalesce(Ticket.merged_into_id, Ticket.id)
DRAFTS = (
    select(Draft.__table__, Identity.kind, _matter.label("matter"))
    .join(Ticket, Ticket.id == Draft.ticket_id)
    .outerjoin(Identity, Identity.id == Draft.identity_id)
    .where(
        one_of_given(Ticket.id) | one_of_given(Ticket.merged_into_id),
        Draft.agent_id == bindparam("agent"),
        Draft.body != "",
    )
    .order_by(_matter, Draft.written_at.desc())
    .ext(distinct_on(_matter))
)
"""An agent's, the newest of each ticket (`ids`) with all that became part of it: `matter` is the ticket."""


async def forget_empty(session: AsyncSession, *, at: datetime) -> None:
    await session.execute(delete(Draft).where(Draft.body == "", Draft.written_at < at - EMPTY_FOR))
