"""The list of tags is right whatever is done to tickets."""

import random
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Role
from domain.agents.staff import Team
from domain.arriving.opening import open_ticket
from domain.customers.contacts import add_contact
from domain.db import new_id
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput
from domain.joining import merging, undoing
from domain.tagging.rules import Renaming
from domain.tagging.tags import Tag
from tests.factories import NOON, an_agent


async def _on_tickets(session: AsyncSession) -> set[tuple[str, uuid.UUID | None]]:
    word = func.jsonb_array_elements_text(Ticket.tags).table_valued("word").render_derived().lateral()
    rows = await session.execute(select(word.c.word, Ticket.team_id).select_from(Ticket).join(word, true()))
    return {(row[0], row[1]) for row in rows}


async def _listed(session: AsyncSession) -> list[tuple[str, uuid.UUID | None]]:
    return [(row[0], row[1]) for row in await session.execute(select(Tag.name, Tag.team_id))]


@pytest.mark.parametrize("seed", range(3))
async def test_every_tag_of_a_ticket_is_listed_once_for_its_team_by_whatever_way_it_came(
    session: AsyncSession, seed: int
) -> None:
    dice = random.Random(seed)
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    ada = add_contact(session, name="Ada", locale=None, by=mia, at=NOON)
    teams = [Team(id=new_id(), name=name) for name in ("Support", "Returns")]
    session.add_all(teams)
    await session.flush()
    tickets = [open_ticket(session, ada, subject=f"Mug {n}", by=mia, at=NOON) for n in range(6)]
    await session.flush()
    moves: list[uuid.UUID] = []

    for step in range(40):
        at = NOON + timedelta(minutes=step)
        one, other = dice.sample(tickets, 2)
        match dice.randrange(5):
            case 0 | 1:
                one.change(by=mia, at=at, add_tags=[f"Tag {dice.randrange(9)}"])
            case 2:
                one.hand_to(dice.choice([*teams, None]), (), by=mia, at=at)
            case 3 if not one.merged_into_id and not other.merged_into_id:
                moves.append((await merging.merge_tickets(session, one, [other], by=mia, at=at)).id)
            case 4 if moves:
                await undoing.undo(session, moves.pop(), by=mia, at=at)
        await session.flush()

        listed = await _listed(session)
        assert len(listed) == len(set(listed))
        assert await _on_tickets(session) <= set(listed)
    assert await _on_tickets(session)


async def test_a_tag_is_no_letter_longer_than_the_list_can_show(session: AsyncSession) -> None:
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    ada = add_contact(session, name="Ada", locale=None, by=mia, at=NOON)
    await session.flush()
    ticket = open_ticket(session, ada, subject="Mug", by=mia, at=NOON)
    await session.flush()

    ticket.change(by=mia, at=NOON, add_tags=["é" * 100])
    with pytest.raises(InvalidInput) as refused:
        ticket.change(by=mia, at=NOON, add_tags=["é" * 101])

    assert refused.value.field == ["addTags"]


def test_a_renamed_tag_is_looked_for_by_both_names_until_all_tickets_have_the_new_one() -> None:
    under_way, over = Renaming("mug", "cup", True), Renaming("mug", "cup", False)

    assert under_way.asked(["Mug", "plate"]) == ["mug", "cup", "plate"]
    assert over.asked(under_way.asked(["Mug", "plate"])) == ["cup", "plate"]
    assert over.asked(["cup", "mug"]) == ["cup"]
    assert under_way.put(["mug", "cup"]) == ["cup"]
