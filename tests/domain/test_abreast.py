"""Writers side by side in one transaction are as writers one after another, in fewer statements."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import abreast
from domain.abreast import Entangled, asked, by_turns, one_at_a_time
from domain.actors import SYSTEM
from domain.customers.contacts import Contact, add_contact
from domain.db import Database, one_of
from domain.events import Event
from tests.factories import NOON
from tests.statements import statements


async def _named(session: AsyncSession, names: Sequence[str]) -> Mapping[str, int]:
    rows = await session.execute(
        select(Contact.name, func.count()).where(one_of(Contact.name, names)).group_by(Contact.name)
    )
    return dict.fromkeys(names, 0) | {name: count for name, count in rows}


async def a_writer(session: AsyncSession, name: str) -> int:
    """Writes a contact; how many of that name were there before."""
    await one_at_a_time(session, name)
    before = await asked(session, _named, name)
    add_contact(session, name=name, locale=None, by=SYSTEM, at=NOON)
    await session.flush()
    return before


async def test_what_many_ask_write_and_hold_at_once_is_said_once(clean: Database) -> None:
    names = [f"Ada {number}" for number in range(20)]

    with statements(clean) as said:
        async with clean.shared() as session:
            found = await session.side_by_side([a_writer(session, name) for name in names])

    assert found == [0] * 20
    assert len(said) == 5  # the locks, the look-up, contacts, events, who is told
    async with clean.transaction() as looking:
        assert await looking.scalar(select(func.count()).select_from(Event)) == 20
        assert await looking.scalar(select(func.count()).select_from(Contact)) == 20


async def test_who_has_less_to_ask_waits_to_ask_with_the_others(
    clean: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abreast, "TO_COME", {})

    async def known(session: AsyncSession) -> int:
        return await asked(session, _named, "Ada")

    async def new(session: AsyncSession) -> int:
        add_contact(session, name="Zofia", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        return await asked(session, _named, "Zofia")

    counted = []
    for _ in ("before anybody has learned of it", "after"):
        with statements(clean) as said:
            async with clean.shared() as session:
                found = await session.side_by_side([known(session), new(session)])
        counted.append((found, len([one for one in said if one.startswith("SELECT contact.name")])))

    assert counted == [([0, 1], 2), ([0, 2], 1)]


async def test_who_wants_what_another_holds_sees_what_that_one_has_written(clean: Database) -> None:
    dice = random.Random(9)
    names = [dice.choice(["Ada", "Zofia", "Ben"]) for _ in range(30)]

    async with clean.shared() as session:
        found = await session.side_by_side([a_writer(session, name) for name in names])

    assert found == [names[:place].count(name) for place, name in enumerate(names)]


async def test_writers_who_wait_for_each_other_fail_and_leave_nothing(clean: Database) -> None:
    async def holds(session: AsyncSession, first: str, second: str) -> None:
        await by_turns(session, first)
        add_contact(session, name=first, locale=None, by=SYSTEM, at=NOON)
        await by_turns(session, second)

    with pytest.raises(ExceptionGroup) as failed:
        async with clean.shared() as session:
            await session.side_by_side([holds(session, "a", "b"), holds(session, "b", "a")])

    assert failed.group_contains(Entangled)
    async with clean.transaction() as looking:
        assert await looking.scalar(select(func.count()).select_from(Contact)) == 0


async def test_one_who_fails_takes_all_along(clean: Database) -> None:
    async def fails(session: AsyncSession) -> int:
        await session.execute(select(1))
        raise ValueError

    with pytest.raises(ExceptionGroup) as failed:
        async with clean.shared() as session:
            await session.side_by_side([a_writer(session, "Ada"), fails(session)])

    assert failed.group_contains(ValueError)
    async with clean.transaction() as looking:
        assert await looking.scalar(select(func.count()).select_from(Contact)) == 0


async def test_whoever_holds_the_same_elsewhere_is_waited_for(clean: Database) -> None:
    order: list[str] = []

    async def elsewhere(begun: asyncio.Event) -> None:
        async with clean.transaction() as session:
            await one_at_a_time(session, "Ada")
            begun.set()
            await asyncio.sleep(0.2)
            order.append("elsewhere")

    async def here() -> Any:
        async with clean.shared() as session:
            found = await session.side_by_side([a_writer(session, name) for name in ("Zofia", "Ada")])
        order.append("here")
        return found

    begun = asyncio.Event()
    other = asyncio.create_task(elsewhere(begun))
    await begun.wait()
    await here()
    await other

    assert order == ["elsewhere", "here"]
