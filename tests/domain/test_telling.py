"""What a transaction tells the driver is part of it, as what SQLAlchemy says."""

from contextlib import suppress

import pytest
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Team
from domain.db import Database, new_id
from domain.telling import Wanted, row_of, rows, tell, tell_together

NAMED = select(Team).where(Team.name == bindparam("name"))
COUNTED = select(func.count()).select_from(Team).where(Team.name == bindparam("name"))
RENAMED = update(Team).where(Team.name == bindparam("before")).values(name=bindparam("after"))


async def test_who_tells_the_driver_first_begins_the_transaction(db: Database) -> None:
    team = Team(id=new_id(), name="Returns")
    async with db.transaction() as session:
        session.add(team)

    with suppress(ZeroDivisionError):
        async with db.transaction() as session:
            await tell(session, RENAMED, {"before": "Returns", "after": "Repairs"})
            raise ZeroDivisionError

    async with db.transaction() as session:
        kept = await row_of(session, Team, team.id)
        assert kept
        assert kept.name == "Returns"
        await session.delete(kept)


async def test_what_is_told_sees_what_was_written_before(session: AsyncSession) -> None:
    session.add(Team(id=new_id(), name="Returns"))

    count, found = await tell_together(
        session, Wanted(COUNTED, {"name": "Returns"}), Wanted(NAMED, {"name": "Returns"}, Team)
    )

    assert (count.scalar(), [team.name for team in found]) == (1, ["Returns"])


async def test_a_row_that_was_told_is_one_with_the_sessions_and_is_written_when_it_changes(
    session: AsyncSession,
) -> None:
    id = new_id()
    session.add(Team(id=id, name="Returns"))
    await session.flush()
    session.expunge_all()

    team = await row_of(session, Team, id)
    assert team
    team.name = "Repairs"

    assert await rows(session, Team, NAMED, {"name": "Repairs"}) == [team]
    assert await session.get(Team, id) is team


async def test_a_known_row_is_read_again_only_where_it_has_to_be_fresh(session: AsyncSession) -> None:
    team = Team(id=new_id(), name="Returns")
    session.add(team)
    await session.flush()
    await tell(session, RENAMED, {"before": "Returns", "after": "Repairs"})

    await rows(session, Team, NAMED, {"name": "Repairs"})
    assert team.name == "Returns"
    await rows(session, Team, NAMED, {"name": "Repairs"}, fresh=True)
    assert team.name == "Repairs"


async def test_what_fails_is_a_failure_of_the_database_with_its_state(session: AsyncSession) -> None:
    with pytest.raises(DBAPIError) as failed:
        await tell(session, select(func.cast_nothing()))

    assert getattr(failed.value.orig, "sqlstate", None) == "42883"


async def test_what_is_told_first_in_a_savepoint_ends_with_it(session: AsyncSession) -> None:
    id = new_id()
    session.add(Team(id=id, name="Returns"))
    await tell(session, COUNTED, {"name": "Returns"})

    with suppress(ZeroDivisionError):
        async with session.begin_nested():
            await tell(session, RENAMED, {"before": "Returns", "after": "Repairs"})
            raise ZeroDivisionError

    assert [team.id for team in await rows(session, Team, NAMED, {"name": "Returns"})] == [id]


async def test_a_row_that_a_savepoint_let_go_of_is_as_it_was_read_again(session: AsyncSession) -> None:
    id = new_id()
    team = Team(id=id, name="Returns")
    session.add(team)
    await session.flush()
    with suppress(ZeroDivisionError):
        async with session.begin_nested():
            team.name = "Repairs"
            raise ZeroDivisionError

    found = await row_of(session, Team, id)

    assert found is team
    assert team.name == "Returns"
