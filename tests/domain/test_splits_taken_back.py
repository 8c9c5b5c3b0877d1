"""A conversation that was split becomes one again, and the ticket that the split had made stays for what else is in it."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, Role
from domain.arriving.opening import open_ticket
from domain.complaints.complaints import complaint_of
from domain.complaints.opening import open_complaint
from domain.customers.contacts import Contact
from domain.db import new_id
from domain.desk.messages import Message
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event
from domain.joining import merging, splitting, undoing
from domain.joining.moves import Move
from domain.planning.templates import save_template
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_mail, a_messenger_message, an_agent, messages, receive, threads, tickets

MINUTE = timedelta(minutes=1)
TOMORROW = NOON + timedelta(days=1)


@dataclass
class Parted:
    """A conversation that was split, and the tickets of two mails."""

    split: Move
    first: Ticket
    made: Ticket
    adas: Ticket
    zofias: Ticket


@pytest.fixture
async def mia(session: AsyncSession) -> Actor:
    return (await an_agent(session, "Mia", Role.MANAGER)).as_actor()


async def split_at(session: AsyncSession, text: str, by: Actor) -> Move:
    """The message and all that follows get a ticket of their own."""
    message = (await session.scalars(select(Message).where(Message.text == text))).one()
    thread = await session.get_one(Thread, message.thread_id)
    move = await splitting.move(session, thread, None, by=by, at=NOON + 5 * MINUTE, after=message)
    await session.flush()
    return move


async def undone(session: AsyncSession, move: Move, by: Actor) -> None:
    await undoing.undo(session, move.id, by=by, at=TOMORROW)
    await session.flush()


async def said(session: AsyncSession) -> list[list[str]]:
    """In each ticket that stands, in the order in which they were opened."""
    return [[one.text for one in await messages(session, ticket)] for ticket in await tickets(session)]


async def written(session: AsyncSession, page: Channel, *texts: str) -> None:
    for text in texts:
        await receive(session, page, a_messenger_message("zofia", text))


async def test_of_a_conversation_split_twice_the_last_part_goes_back_to_the_one_before(
    session: AsyncSession, page: Channel, mia: Actor
) -> None:
    await written(session, page, "One", "Two", "Three")
    await split_at(session, "Two", mia)
    second = await split_at(session, "Three", mia)

    await undone(session, second, mia)
    await written(session, page, "Four")

    assert await said(session) == [["One"], ["Two", "Three", "Four"]]


async def test_of_a_conversation_split_twice_the_middle_part_goes_back_first(
    session: AsyncSession, page: Channel, mia: Actor
) -> None:
    await written(session, page, "One", "Two", "Three")
    first = await split_at(session, "Two", mia)
    second = await split_at(session, "Three", mia)

    await undone(session, first, mia)
    await written(session, page, "Four")
    assert await said(session) == [["One", "Two"], ["Three", "Four"]]
    await undone(session, second, mia)
    await written(session, page, "Five")

    assert await said(session) == [["One", "Two", "Three", "Four", "Five"]]
    (thread,) = await session.scalars(select(Thread).where(Thread.ended_at.is_(None)))
    assert thread.split_from_id is None


async def test_one_may_answer_as_long_after_what_came_to_the_part_that_went_back(
    session: AsyncSession, page: Channel, mia: Actor
) -> None:
    await written(session, page, "One", "Two")
    split = await split_at(session, "Two", mia)
    await receive(session, page, a_messenger_message("zofia", "Three", at=TOMORROW))

    await undone(session, split, mia)

    (thread,) = await session.scalars(select(Thread).where(Thread.split_from_id.is_(None)))
    assert thread.last_inbound_at == TOMORROW


async def test_what_came_last_to_the_earlier_part_stays_its_last_word(
    session: AsyncSession, mailbox: Channel, mia: Actor
) -> None:
    one = a_mail("zofia@example.com", "One")
    await receive(session, mailbox, one)
    for text, at in (("Two", NOON + MINUTE), ("Three", TOMORROW)):
        if text == "Three":
            split = await split_at(session, "Two", mia)
        await receive(
            session, mailbox, a_mail("zofia@example.com", text, references=(one.external_id,), at=at)
        )

    await undone(session, split, mia)

    (thread,) = await session.scalars(select(Thread).where(Thread.split_from_id.is_(None)))
    assert (thread.last_inbound_at, await said(session)) == (TOMORROW, [["One", "Two", "Three"]])


@pytest.mark.parametrize(
    "what", ["nothing", "a note", "a complaint", "a complaint alone", "a number that leads there", "a task"]
)
async def test_the_ticket_that_a_split_made_stays_for_what_else_is_in_it(
    session: AsyncSession, page: Channel, mia: Actor, what: str
) -> None:
    await written(session, page, "One", "Two")
    split = await split_at(session, "Two", mia)
    first, made = await tickets(session)
    if what == "a note":
        made.note("She rang.", by=mia, at=NOON)
    elif what.startswith("a complaint"):
        if what == "a complaint alone":  # this shop has no tasks made of it
            await save_template(session, None, name="None", tasks=[], on_complaint=True, law=None)
        await open_complaint(session, made, promised_at=TOMORROW, by=mia, at=NOON)
    elif what == "a task":
        task = Task(
            id=new_id(),
            title="Call",
            ticket_id=made.id,
            contact_id=made.contact_id,
            created_at=NOON,
            updated_at=NOON,
        )
        session.add(task)
    elif what == "a number that leads there":
        contact = await session.get_one(Contact, made.contact_id)
        empty = open_ticket(session, contact, subject="By phone", by=mia, at=NOON)
        await session.flush()
        await merging.merge_tickets(session, made, [empty], by=mia, at=NOON)
    await session.flush()

    await undone(session, split, mia)

    stand = [ticket.id for ticket in await tickets(session)]
    assert stand == ([first.id] if what == "nothing" else [first.id, made.id])
    assert (await session.get_one(Ticket, made.id)).status == (
        TicketStatus.CLOSED if what == "nothing" else TicketStatus.NEW
    )
    assert await said(session) == [["One", "Two"], []][: len(stand)]
    assert bool(await complaint_of(session, made.id)) == what.startswith("a complaint")


@pytest.fixture
async def parted(session: AsyncSession, page: Channel, mailbox: Channel, mia: Actor) -> Parted:
    await written(session, page, "One", "Two")
    split = await split_at(session, "Two", mia)
    for address in ("ada@example.org", "zofia@example.com"):
        await receive(session, mailbox, a_mail(address, "By mail"))
    return Parted(split, *await tickets(session))


async def test_the_ticket_that_a_split_made_goes_with_the_last_that_is_in_it(
    session: AsyncSession, parted: Parted, mia: Actor
) -> None:
    (mail,) = await threads(session, parted.adas)
    moved = await splitting.move(session, mail, parted.made, by=mia, at=NOON + 6 * MINUTE)

    await undone(session, parted.split, mia)
    assert await said(session) == [["One", "Two"], ["By mail"], [], ["By mail"]]
    await undone(session, moved, mia)

    assert await said(session) == [["One", "Two"], ["By mail"], ["By mail"]]
    assert (await session.get_one(Ticket, parted.made.id)).merged_into_id == parted.first.id


async def test_a_ticket_that_others_have_emptied_stays_as_long_as_its_split_stands(
    session: AsyncSession, parted: Parted, mia: Actor
) -> None:
    (part,) = await threads(session, parted.made)
    await splitting.move(session, part, parted.adas, by=mia, at=NOON + 6 * MINUTE)
    merge = await merging.merge_tickets(session, parted.first, [parted.zofias], by=mia, at=NOON + 7 * MINUTE)

    await undone(session, merge, mia)

    assert parted.made.id in [ticket.id for ticket in await tickets(session)]


async def test_the_number_that_a_split_gave_leads_to_where_it_was_split_from_whatever_becomes_of_that(
    session: AsyncSession, parted: Parted, mia: Actor
) -> None:
    one = await merging.merge_tickets(session, parted.adas, [parted.first], by=mia, at=NOON + 6 * MINUTE)
    await merging.merge_tickets(session, parted.zofias, [parted.adas], by=mia, at=NOON + 7 * MINUTE)
    made = await session.get_one(Ticket, parted.made.id)

    await undone(session, parted.split, mia)
    assert made.merged_into_id == parted.zofias.id
    await undone(session, one, mia)

    assert made.merged_into_id == parted.first.id


@pytest.mark.parametrize("taken_back", [True, False])
async def test_the_ticket_that_a_split_made_stays_part_of_what_somebody_has_merged_it_into(
    session: AsyncSession, parted: Parted, mia: Actor, taken_back: bool
) -> None:
    merge = await merging.merge_tickets(session, parted.adas, [parted.made], by=mia, at=NOON + 6 * MINUTE)
    if taken_back:
        await undone(session, merge, mia)
    made = await session.get_one(Ticket, parted.made.id)

    await undone(session, parted.split, mia)

    assert made.merged_into_id == (parted.first if taken_back else parted.adas).id


async def test_that_the_ticket_of_a_split_is_gone_is_told_once_whatever_is_taken_back_later(
    session: AsyncSession, parted: Parted, mia: Actor
) -> None:
    merge = await merging.merge_tickets(session, parted.first, [parted.zofias], by=mia, at=NOON + 6 * MINUTE)
    await undone(session, parted.split, mia)

    await undone(session, merge, mia)

    gone = Event.data.contains({"merged": str(parted.made.id)})
    assert len((await session.scalars(select(Event).where(gone))).all()) == 1
