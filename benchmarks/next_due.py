"""When the deadline wheel has to look next: with every running clock of the shop, and with a clock on each of very many open tickets."""

from statistics import median
from time import perf_counter

from sqlalchemy import text

from benchmarks.bench import Bench, Measured, Table, number
from benchmarks.beside import database_beside
from domain.db import Database
from domain.sla.deadlines import WHEEL

LOOKS = 500
WARMING = 20
FILL = """
    INSERT INTO clock (id, ticket_id, policy_id, metric, started_at, target_seconds, warn_at, due_at, next_at)
    SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'first_reply', now(), 60, '{}', due, due
    FROM (SELECT now() + random() * interval '30 days' AS due FROM generate_series(1, :clocks)) AS moment"""


async def measure(bench: Bench) -> Measured:
    many = bench.sizes.open_tickets
    async with database_beside(bench, "clocks") as db:
        async with db.transaction() as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))  # clocks of no ticket
            await session.execute(text(FILL), {"clocks": many})
        async with db.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text("VACUUM ANALYZE clock"))
        spent = [(bench.shop.running_clocks, await _looks(bench.db)), (many, await _looks(db))]
    rows = [
        [f"{clocks:,}", number(median(looks), 2), number(sorted(looks)[int(LOOKS * 0.99)], 2)]
        for clocks, looks in spent
    ]
    table = Table("The next promise that falls due", ("running clocks", "p50 ms", "p99 ms"), rows)
    return Measured(table, {"next_due_ms": median(spent[-1][1])})


async def _looks(db: Database) -> list[float]:
    """Milliseconds of each."""
    spent = []
    async with db.transaction() as session:
        for _ in range(WARMING):
            await WHEEL.seconds_to_next(session)
        for _ in range(LOOKS):
            begun = perf_counter()
            await WHEEL.seconds_to_next(session)
            spent.append((perf_counter() - begun) * 1000)
    return spent
