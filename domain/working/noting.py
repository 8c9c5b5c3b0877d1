"""A note is written on a ticket, and whom it calls is told."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.desk.messages import Note
from domain.desk.tickets import Ticket
from domain.errors import CannotSee, InvalidInput, NotFound
from domain.languages import N_
from domain.working.mentions import Mention, named_in

MOST = 20


async def add_note(
    session: AsyncSession,
    ticket: Ticket,
    text: str,
    mentioned: Sequence[uuid.UUID] = (),
    *,
    by: Actor,
    at: datetime,
    calling: str | None = None,
) -> Note:
    """Refuses to call who would not see it: by name, so that whoever writes can say it otherwise. `calling`: where names are looked
    for in place of the text, which holds words of others."""
    ids = await _called(session, text if calling is None else calling, mentioned)
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
