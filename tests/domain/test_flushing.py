"""What a transaction writes waits until somebody asks for it, and goes out in an order in which it can."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import exists, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.actors import SYSTEM
from domain.agents.staff import Agent, Team
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.db import new_id
from domain.desk.messages import Direction, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind, record
from domain.joining.reasons import JoinCode
from domain.tagging.tags import Tag
from domain.telling import Wanted, tell, tell_together
from domain.ways_in.channels import Channel, ChannelKind

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
_other = aliased(Team)
_some = select(Team.id).where(Team.name != "").cte("some")
READS_TEAMS = {
    "a table": select(func.count()).select_from(Team),
    "under another name": select(func.count(_other.id)),
    "in a condition": select(Agent.id).where(exists().where(Team.name == Agent.name)),
    "in a column": select(Agent.id, select(func.count(Team.id)).scalar_subquery()),
    "beside it": select(Agent.id).outerjoin(Team, Team.name == Agent.name),
    "before it": select(_some.c.id),
    "after another": union_all(select(Agent.id), select(Team.id)),
}


@pytest.mark.parametrize("asked", READS_TEAMS.values(), ids=READS_TEAMS)
async def test_who_reads_of_what_waits_reads_it(session: AsyncSession, asked: Any) -> None:
    session.add(team := Team(id=new_id(), name="Returns"))

    await tell(session, asked, {})

    assert team not in session.new


async def test_who_reads_of_other_tables_leaves_it_waiting(session: AsyncSession) -> None:
    session.add(team := Team(id=new_id(), name="Returns"))
    others = select(Agent.id)

    await tell(session, others, {})
    await tell_together(session, Wanted(others, {}), Wanted(select(func.count(Thread.id)), {}))

    assert team in session.new
    team.name = "Repairs"
    await session.flush()
    assert await session.scalar(select(Team.name)) == "Repairs"


async def test_what_triggers_and_the_history_write_is_read_too(session: AsyncSession) -> None:
    for row in _conversation():
        session.add(row)
    record(session, EventKind.CONTACT_CHANGED, by=SYSTEM, at=NOW)

    assert (await tell(session, select(func.count(Event.seq)), {})).scalar() == 1
    (ticket,) = (await session.scalars(select(Ticket))).all()
    ticket.tags = ["returns"]
    assert (await tell(session, select(Tag.name), {})).scalars().all() == ["returns"]


async def test_nothing_is_written_before_that_to_which_it_points(session: AsyncSession) -> None:
    for row in reversed(_conversation()):
        session.add(row)

    await session.flush()

    assert await session.scalar(select(func.count()).select_from(Message)) == 1


def _conversation() -> list[Any]:
    contact = Contact(id=new_id(), name="Ada", created_at=NOW)
    channel = Channel(
        id=new_id(), kind=ChannelKind.EMAIL, slug="shop", name="Shop", address="a@shop.example", config={},
        created_at=NOW,
    )  # fmt: skip
    identity = Identity(
        id=new_id(), contact_id=contact.id, kind=IdentityKind.EMAIL, value="ada@example.com", label="Ada",
        created_at=NOW,
    )  # fmt: skip
    ticket = Ticket(
        id=new_id(), contact_id=contact.id, subject="Shoes", status=TicketStatus.NEW, priority=3, tags=[],
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    thread = Thread(
        id=new_id(), channel_id=channel.id, contact_id=contact.id, ticket_id=ticket.id, identity_id=identity.id,
        subject="Shoes", joined_code=JoinCode.OPENED_TICKET, joined_at=NOW, joined_evidence={},
    )  # fmt: skip
    message = Message(
        id=new_id(), ticket_id=ticket.id, contact_id=contact.id, thread_id=thread.id, channel_id=channel.id,
        direction=Direction.IN, author="Ada", at=NOW, text="They pinch.",
    )  # fmt: skip
    return [contact, channel, identity, ticket, thread, message]
