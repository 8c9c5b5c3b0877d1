"""Merges, splits and moves in any order: every message stands in one ticket and with one contact, and all can be undone."""

import random
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, Role
from domain.customers.contacts import Contact, Identity
from domain.desk.messages import Item
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.joining import merging, splitting, undoing
from domain.joining.moves import Taken, after_undo, home, replayed
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_chat, a_mail, a_messenger_message, an_agent, receive

A, B, C = "a", "b", "c"
ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))
POINTERS = {
    Item: ("ticket_id", "contact_id", "thread_id"),
    Thread: ("ticket_id", "contact_id", "joined_code", "move_id", "ended_at"),
    Ticket: ("contact_id", "merged_into_id", "status", "priority", "tags", "assignee_id"),
    Identity: ("contact_id",),
    Contact: ("canonical_id", "name"),
    Task: ("ticket_id", "contact_id"),
}


def test_what_was_moved_along_goes_back_when_the_first_merge_is_undone() -> None:
    steps = [Taken(ONE, A, B, False, True), Taken(TWO, B, C, False, True)]

    assert replayed(steps) == C
    assert after_undo(steps, ONE, C) == A
    assert after_undo(steps, TWO, C) == B
    assert home(steps) == A


def test_somebodys_word_about_a_row_holds_wherever_it_was() -> None:
    steps = [Taken(ONE, A, B, False, True), Taken(TWO, B, C, True, True)]

    assert home(steps) == C
    assert home([steps[0], Taken(TWO, B, C, True, False)]) == A


def test_what_was_changed_since_by_other_means_stays() -> None:
    assert after_undo([Taken(ONE, A, B, False, True)], ONE, C) == C


class World:
    def __init__(self, session: AsyncSession, by: Actor, seed: int) -> None:
        self.session, self.by, self.dice = session, by, random.Random(seed)
        self.at = NOON
        self.done: list[uuid.UUID] = []

    async def rows(self, model: Any) -> list[Any]:
        return list(
            await self.session.scalars(
                select(model).order_by(model.id).execution_options(populate_existing=True)
            )
        )

    async def state(self) -> dict[tuple[str, uuid.UUID], tuple[Any, ...]]:
        await self.session.flush()
        return {
            (model.__tablename__, row.id): tuple(getattr(row, field) for field in fields)
            for model, fields in POINTERS.items()
            for row in await self.rows(model)
        }

    async def turn(self) -> None:
        self.at += timedelta(minutes=1)
        await self.dice.choice((self.merge_contacts, self.merge_tickets, self.move, self.split, self.undo))()
        await self.session.flush()

    async def merge_contacts(self) -> None:
        alive = [contact for contact in await self.rows(Contact) if contact.canonical_id is None]
        primary, *others = self.dice.sample(alive, min(len(alive), self.dice.choice((2, 2, 3))))
        if others:
            move = await merging.merge_contacts(self.session, primary, others, by=self.by, at=self.at)
            self.done.append(move.id)

    async def merge_tickets(self) -> None:
        alive = [ticket for ticket in await self.rows(Ticket) if ticket.merged_into_id is None]
        primary, *others = self.dice.sample(alive, min(len(alive), 2))
        if others:
            move = await merging.merge_tickets(self.session, primary, others, by=self.by, at=self.at)
            self.done.append(move.id)

    async def move(self, after: Item | None = None) -> None:
        alive = [ticket for ticket in await self.rows(Ticket) if ticket.merged_into_id is None]
        said = [item for item in await self.rows(Item) if item.thread_id]
        item = after or self.dice.choice(said)
        thread = await self.session.get_one(Thread, item.thread_id)
        to = self.dice.choice([None, *(ticket for ticket in alive if ticket.id != thread.ticket_id)])
        move = await splitting.move(self.session, thread, to, by=self.by, at=self.at, after=after)
        self.done.append(move.id)

    async def split(self) -> None:
        await self.move(self.dice.choice([item for item in await self.rows(Item) if item.thread_id]))

    async def undo(self) -> None:
        if self.done:
            move = self.done.pop(self.dice.randrange(len(self.done)))
            await undoing.undo(self.session, move, by=self.by, at=self.at)

    async def is_whole(self) -> None:
        tickets = {ticket.id: ticket for ticket in await self.rows(Ticket)}
        contacts = {contact.id: contact for contact in await self.rows(Contact)}
        threads = {thread.id: thread for thread in await self.rows(Thread)}
        for item in await self.rows(Item):
            assert tickets[item.ticket_id].merged_into_id is None
            assert contacts[item.contact_id].canonical_id is None
            if item.thread_id:
                thread = threads[item.thread_id]
                assert (item.ticket_id, item.contact_id) == (thread.ticket_id, thread.contact_id)
            else:
                assert item.contact_id == tickets[item.ticket_id].contact_id
        for ticket in tickets.values():
            if ticket.merged_into_id:
                assert tickets[ticket.merged_into_id].merged_into_id is None
            assert contacts[ticket.contact_id].canonical_id is None
        for contact in contacts.values():
            assert contact.canonical_id is None or contacts[contact.canonical_id].canonical_id is None
        keys = [
            (thread.channel_id, thread.key)
            for thread in threads.values()
            if thread.key and not thread.ended_at
        ]
        assert len(keys) == len(set(keys))


async def _written(session: AsyncSession, by: Actor, mailbox: Channel, chat: Channel, page: Channel) -> None:
    for name in ("ada", "zofia", "piotr"):
        for number in (1, 2):
            mail = a_mail(
                f"{name}@example.org", f"Order {name} {number}0001", subject=f"Order {number}0001 {name}"
            )
            await receive(session, mailbox, mail)
            await receive(
                session, mailbox, a_mail(f"{name}@example.org", "And?", references=(mail.external_id,))
            )
        for text in ("Hello", "Still there?", "Bye"):
            await receive(session, chat, a_chat(name, text))
    for text in ("Hi", "Hi again"):
        await receive(session, page, a_messenger_message("zofia", text))
    for number, ticket in enumerate((await session.scalars(select(Ticket).order_by(Ticket.id))).all()):
        ticket.note("Noted.", by=by, at=NOON)
        ticket.change(by=by, at=NOON, priority=1 + number % 4, add_tags=[f"tag{number}"])
        task = Task(
            id=uuid.UUID(int=number + 1), title="Call", ticket_id=ticket.id, contact_id=ticket.contact_id,
            created_at=NOON, updated_at=NOON,
        )  # fmt: skip
        session.add(task)
    await session.flush()


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 30))]


@pytest.mark.parametrize("seed", SEEDS)
async def test_fifty_of_them_leave_everything_whole_and_undone_give_the_first_state_back(
    session: AsyncSession, mailbox: Channel, chat: Channel, page: Channel, seed: int
) -> None:
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    await _written(session, mia, mailbox, chat, page)
    world = World(session, mia, seed)
    first = await world.state()

    for _ in range(50):
        await world.turn()
        await world.is_whole()
    world.dice.shuffle(world.done)
    while world.done:
        await world.undo()
        await world.is_whole()

    last = await world.state()
    assert {key: last[key] for key in first} == first
    made = {key for key in last if key[0] in ("item", "identity", "contact", "task")}
    assert made == {key for key in first if key[0] in ("item", "identity", "contact", "task")}
