"""Readers that ask together are given what each would have been given alone."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import (
    Float,
    Numeric,
    Text,
    any_,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent
from domain.chorus import Chorus
from domain.db import XID8, Database, one_of
from domain.desk.messages import Direction, Item
from domain.desk.tickets import Ticket, TicketStatus
from tests.statements import statements

ONE_ROW = select(
    literal(uuid.UUID(int=7)).label("id"),
    func.now().label("at"),
    literal(TicketStatus.OPEN, Ticket.status.type).label("status"),
    literal_column("'{\"a\": [1, null]}'", JSONB).cast(JSONB).label("json"),
    literal_column("'null'", JSONB).cast(JSONB).label("json_null"),
    literal(b"\x00bytes").label("bytes"),
    literal_column("12.50", Numeric).label("exact"),
    cast(literal_column("0.1"), Float).label("rough"),
    func.round(literal_column("2.345"), 2, type_=Float).label("said_to_be_rough"),
    literal_column("2.5::float8", Numeric).label("said_to_be_exact"),
    literal_column("9007199254740993::bigint").label("big"),
    literal_column("'77'::xid8", XID8).label("xid"),
    literal(timedelta(days=1, microseconds=3)).label("long"),
    literal_column("'{2020-01-01,2021-01-01}'::timestamptz[]").label("moments"),
    func.array_agg(literal(uuid.UUID(int=8))).label("ids"),
    literal(True).label("yes"),
    literal(None).label("none"),
    literal("żółć \x01 \"{,}\" (a,b) \\ %s %(at)s :at ''").label("words"),
    (literal("b") == any_(cast(["a", "b"], ARRAY(Text)))).label("one_of"),
    (literal("b") == any_(literal([], ARRAY(Text)))).label("one_of_none"),
    literal("b").in_(["a", "b"]).label("in"),
    func.cardinality(func.array_agg(literal("x"))).label("all"),
    func.now() + timedelta(days=1) > func.now(),
    literal("").label("empty"),
    func.max(literal(3)),
    literal("x"),
)


@pytest.fixture
def db(clean: Database) -> Database:
    return clean


async def test_what_is_asked_side_by_side_is_one_statement(db: Database) -> None:
    with statements(db) as said:
        chorus = Chorus(db)
        async with chorus:
            said.clear()
            numbers = await asyncio.gather(*(chorus.scalar(select(literal(n))) for n in range(5)))

    assert numbers == [0, 1, 2, 3, 4]
    assert len(said) == 1


async def test_what_is_gathered_within_what_is_gathered_is_asked_along(db: Database) -> None:
    async def deep(level: int) -> Any:
        if level:
            return (await asyncio.gather(deep(level - 1)))[0]
        return await chorus.scalar(select(literal("deep")))

    with statements(db) as said:
        chorus = Chorus(db)
        async with chorus:
            said.clear()
            await asyncio.gather(deep(3), chorus.scalar(select(literal("flat"))), deep(1))

    assert len(said) == 1


async def test_each_is_given_the_rows_that_it_would_be_given_alone(db: Database) -> None:
    selects: list[Any] = [
        ONE_ROW,
        select(Ticket.__table__),
        select(Item.__table__.c.id, Item.direction, Agent.name.label("who")).join(
            Agent, Agent.id == Item.agent_id
        ),
        union_all(select(literal("a").label("of"), literal(1)), select(literal("b"), literal(2))),
        select(func.count()).select_from(Ticket).where(one_of(Ticket.id, [uuid.uuid4()])),
        select(literal_column("n"))
        .select_from(text("generate_series(9, 1, -1) n"))
        .order_by(literal_column("n"))
        .limit(3),
        select(literal(Direction.IN, Item.__table__.c.direction.type)),
    ]
    async with db.reading() as connection:
        alone = [await connection.execute(one) for one in selects]
        with statements(db) as said:
            chorus = Chorus(db)
            async with chorus:
                said.clear()
                together = await asyncio.gather(*map(chorus.execute, selects))
                assert len(said) == 1
                kept = await asyncio.gather(*(chorus.execute(one, {}) for one in selects))
                assert len(said) == 2

        for theirs, *ours in zip(alone, together, kept, strict=True):
            other = theirs.all()
            for mine in (one.all() for one in ours):
                assert [row._fields for row in mine] == [row._fields for row in other]
                assert [_told(row) for row in mine] == [_told(row) for row in other]


def _told(row: Any) -> list[tuple[type, Any]]:
    """Each began its transaction at a time of its own."""
    return [(type(value), value) for name, value in row._mapping.items() if name != "at"]


async def test_a_row_that_is_not_there_is_missed(db: Database) -> None:
    chorus = Chorus(db)

    async with chorus:
        nothing = select(Ticket.id).where(Ticket.number == -1)
        first, second = await asyncio.gather(chorus.execute(nothing), chorus.scalar(nothing))

    assert second is None
    with pytest.raises(NoResultFound):
        first.one()


async def test_a_select_that_fails_does_not_hurt_the_others(db: Database) -> None:
    chorus = Chorus(db)

    async with chorus:
        outcomes: Any = await asyncio.gather(
            chorus.scalar(select(literal(1) / literal_column("0"))),
            chorus.scalar(select(literal("fine"))),
            chorus.scalar(select(Ticket.id).where(Ticket.number == 2**70)),
            return_exceptions=True,
        )
        afterwards = await chorus.scalar(select(func.current_setting("statement_timeout")))

    broken, fine, typed = outcomes
    assert isinstance(broken, DBAPIError)
    assert "division by zero" in str(broken)
    assert isinstance(typed, DBAPIError)
    assert fine == "fine"
    assert afterwards == "5s"


async def test_two_may_use_one_name_for_two_things(db: Database) -> None:
    these, those = (select(literal(n).label("n")).cte("same") for n in (1, 2))

    with statements(db) as said:
        chorus = Chorus(db)
        async with chorus:
            said.clear()
            found: Any = await asyncio.gather(
                chorus.scalar(select(these.c.n)), chorus.scalar(select(those.c.n))
            )

    assert list(found) == [1, 2]
    assert len(said) == 1


async def test_values_named_one_by_one_may_be_any_number(db: Database) -> None:
    chorus, numbers = Chorus(db), select(func.generate_series(1, 9).label("n")).subquery()

    async with chorus:
        found = await asyncio.gather(
            *(
                chorus.execute(select(numbers.c.n).where(numbers.c.n.in_(asked), numbers.c.n % 5 != 0))
                for asked in ([], [1], [2, 5, 3], [1, 10])
            )
        )

    assert [list(rows.scalars()) for rows in found] == [[], [1], [2, 3], [1]]


async def test_who_leaves_lets_the_others_sing_on(db: Database) -> None:
    chorus = Chorus(db)

    async with chorus:
        leaver = asyncio.create_task(chorus.scalar(select(func.pg_sleep(0.2))))
        stayer = asyncio.create_task(chorus.scalar(select(literal("here").label("word"), func.pg_sleep(0.2))))
        await asyncio.sleep(0.05)
        leaver.cancel()

        assert await stayer == "here"
        assert await chorus.scalar(select(literal("still"))) == "still"
    assert leaver.cancelled()


async def test_with_the_last_reader_the_connection_goes_back_and_nobody_waits_for_ever(db: Database) -> None:
    chorus = Chorus(db)

    async with asyncio.timeout(8):
        async with chorus:
            forgotten = asyncio.create_task(chorus.scalar(select(func.pg_sleep(10))))
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await forgotten

    assert db.connections_in_use() == 0
    with pytest.raises(RuntimeError):
        await chorus.scalar(select(literal(1)))


async def test_a_lost_connection_reaches_all_who_wait(db: Database) -> None:
    chorus = Chorus(db)

    async with chorus:
        mine = await chorus.scalar(select(func.pg_backend_pid()))
        waiting = [
            asyncio.create_task(chorus.scalar(select(literal(n), func.pg_sleep(10)))) for n in range(3)
        ]
        await asyncio.sleep(0.05)
        async with db.reading() as other:
            await other.execute(select(func.pg_terminate_backend(mine)))
        found = await asyncio.gather(*waiting, return_exceptions=True)
        later = await asyncio.gather(chorus.scalar(select(literal(1))), return_exceptions=True)

    assert [type(one) for one in found] == [DBAPIError] * 3 or all(
        isinstance(one, DBAPIError) for one in found
    )
    assert isinstance(later[0], DBAPIError)


async def test_a_database_that_does_not_answer_is_told_to_every_reader() -> None:
    chorus = Chorus(Database("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"))

    async def read() -> None:
        async with chorus:
            await chorus.time()

    found = await asyncio.gather(read(), read(), return_exceptions=True)

    assert [isinstance(one, OSError) for one in found] == [True, True]


async def test_who_needs_the_connection_alone_has_it_alone(db: Database) -> None:
    chorus = Chorus(db)

    async def work(connection: Any) -> str:
        await connection.execute(select(func.set_config("heddle.mood", "alone", True)))
        await asyncio.sleep(0.05)
        return str(await connection.scalar(select(func.current_setting("heddle.mood"))))

    async with chorus:
        mood, fine = await asyncio.gather(chorus.alone(work), chorus.scalar(select(literal("fine"))))

    assert (mood, fine) == ("alone", "fine")


@pytest.mark.parametrize("how", ["alone", "alone_with_rows"])
async def test_who_is_asked_alone_may_be_ended_too(db: Database, how: str) -> None:
    chorus = Chorus(db)

    async def sleep(reads: Any) -> None:
        await reads.execute(select(func.pg_sleep(10)))

    async with asyncio.timeout(8):
        async with chorus:
            forgotten = asyncio.create_task(getattr(chorus, how)(sleep))
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await forgotten

    assert db.connections_in_use() == 0


async def test_who_reads_rows_alone_leaves_nothing_behind(db: Database) -> None:
    chorus, setting = Chorus(db), select(func.current_setting("heddle.mood", True))

    async def read(session: AsyncSession) -> None:
        await session.execute(select(func.set_config("heddle.mood", "alone", True)))
        assert await session.scalar(setting) == "alone"
        assert await session.get(Agent, uuid.uuid4()) is None

    async def break_off(session: AsyncSession) -> None:
        await session.execute(select(literal(1) / literal_column("0")))

    async with chorus:
        await chorus.alone_with_rows(read)
        with pytest.raises(DBAPIError):
            await chorus.alone_with_rows(break_off)

        assert await chorus.scalar(setting) in (None, "")
        assert await chorus.alone_with_rows(lambda session: session.scalar(select(literal("fine")))) == "fine"
