"""Who works behind the doors looks again and again, never through a whole table; and what is asked again and again is planned once."""

from collections import Counter

from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from api.workers import HEED, WHEELS
from benchmarks.plans.hearing import overheard
from domain import audit, auditor, events, following, queues
from domain.agents import presence
from domain.db import READERS
from domain.finding import indexing
from domain.reporting import keeping
from domain.work import Queue
from tests.plans import without_index
from tests.two_teams import TwoTeams


async def test_workers_find_what_is_due_and_what_happened_by_indexes(
    house: House, two_teams: TwoTeams
) -> None:
    with overheard(house.db) as heard:
        async with house.db.transaction() as session:
            await _look(session)
        async with house.db.reading() as connection:
            await queues.waiting(connection)
            await following.unread_since(connection)

    assert len(heard) > len(queues.QUEUES) + len(HEED) + len(WHEELS)
    assert await without_index(house.db, heard.values()) == []


async def test_what_is_asked_of_given_rows_again_and_again_is_planned_once(
    house: House, two_teams: TwoTeams
) -> None:
    row = "subject assignee { name presence } contact { name } channels unreadCount preview clocks { state }"
    before = await _planned(house)
    for _ in range(MORE_THAN_TRIED):
        await two_teams.ben.ask(f"{{ tickets(first: 50) {{ edges {{ node {{ {row} }} }} }} }}")

    again = await _planned(house) - before
    assert again
    assert [statement for statement, times in again.items() if times > TRIED * READERS] == []


async def _planned(house: House) -> Counter[str]:
    """How often each statement was planned for its values."""
    planned: Counter[str] = Counter()
    for reader in [one for one in house.db.readers.all if one.is_open]:
        kept = await reader.driver.fetch("SELECT statement, custom_plans FROM pg_prepared_statements")
        planned.update({one["statement"]: one["custom_plans"] for one in kept})
    return planned


TRIED = 5
"""Times that PostgreSQL plans a statement with its values before it asks itself whether one plan would do."""
MORE_THAN_TRIED = TRIED * READERS + 10


async def _look(session: AsyncSession) -> None:
    queue: Queue[object]  # type: ignore[type-var]
    for queue in queues.QUEUES:
        await queue.claim(session, 10)
        await queue.set_aside(session)
    for wheel in WHEELS:
        for do in wheel.does:
            await do(session)
        await wheel.seconds_to_next(session)
    for name, heed in HEED.items():
        await following.begin(session, name, following.FROM_THE_FIRST)
        await following.read_on(session, name, heed)
    await following.begin(session, keeping.READER, following.FROM_THE_FIRST)
    await following.read_all(session, keeping.READER, keeping.take)
    await events.any_pending(session)
    await indexing.step(session)
    await presence.call_the_roll(session)
    await auditor.look(session)
    await audit.chain(session)
