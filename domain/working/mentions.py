"""Whom a note calls: by id, or by `@` and a name in its text. Who is called must be able to see the ticket."""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, Index, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import access
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.db import Base
from domain.desk.messages import Item, Note
from domain.desk.tickets import Ticket
from domain.errors import CannotSee, InvalidInput, NotFound
from domain.languages import N_

MOST = 20


class Mention(Base):
    __tablename__ = "mention"
    __table_args__ = (Index("ix_mention_agent", "agent_id", "item_id"),)

    item_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("item.id"), primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), primary_key=True)


def named_in(text: str, people: Mapping[uuid.UUID, str]) -> list[uuid.UUID]:
    """Those whose name follows an `@`: all of it, or its first word where only one has that. Whatever else follows an `@` is
    text."""
    called: dict[str, set[uuid.UUID]] = {}
    for id, name in people.items():
        words = name.casefold().split()
        for said in {" ".join(words), *words[:1]}:
            called.setdefault(said, set()).add(id)
    names = sorted(called, key=len, reverse=True)
    if not names:
        return []
    pattern = rf"(?<!\w)@({'|'.join(map(re.escape, names))})(?!\w)"
    found = [called[name] for name in re.findall(pattern, " ".join(text.casefold().split()))]
    return list(dict.fromkeys(id for ids in found if len(ids) == 1 for id in ids))


async def add_note(
    session: AsyncSession,
    ticket: Ticket,
    text: str,
    mentioned: Sequence[uuid.UUID] = (),
    *,
    by: Actor,
    at: datetime,
) -> Note:
    """Refuses to call who would not see it: by name, so that whoever writes can say it otherwise."""
    ids = await _called(session, text, mentioned)
    seeing = await access.who_may_see(session, ids, ticket.id)
    if unseeing := [name for id, name in ids.items() if id not in seeing]:
        raise CannotSee(field=["mentionIds"], names=", ".join(unseeing))
    told = [id for id in ids if id != by.agent_id]
    note = ticket.note(text, by=by, at=at, mentioned=told)
    await session.flush()
    session.add_all(Mention(item_id=note.id, agent_id=id) for id in ids)
    return note


async def _called(session: AsyncSession, text: str, mentioned: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Names of those who work here, by their ids."""
    if not mentioned and "@" not in text:
        return {}
    rows = await session.execute(select(Agent.id, Agent.name).where(Agent.left_at.is_(None)))
    people = {row.id: row.name for row in rows}
    if any(id not in people for id in mentioned):
        raise NotFound(field=["mentionIds"])
    ids = list(dict.fromkeys([*mentioned, *named_in(text, people)]))
    if len(ids) > MOST:
        raise InvalidInput(N_("At most {most} at once."), field=["mentionIds"], most=MOST)
    return {id: people[id] for id in ids}


def mentions(agent_ids: Collection[uuid.UUID]) -> ColumnElement[bool]:
    """Of a ticket: does a note in it call one of them?"""
    return (
        select(Mention.item_id)
        .join(Item, Item.id == Mention.item_id)
        .where(Item.ticket_id == Ticket.id, Mention.agent_id.in_(agent_ids))
        .exists()
    )
