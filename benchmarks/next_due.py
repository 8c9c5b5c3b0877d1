"""When the deadline wheel has to look next, with every running clock in the table."""

from statistics import median
from time import perf_counter

from benchmarks.bench import Bench, Measured, Table, number
from domain.sla.deadlines import WHEEL

LOOKS = 500
WARMING = 20


async def measure(bench: Bench) -> Measured:
    spent = []
    async with bench.db.transaction() as session:
        for _ in range(WARMING):
            await WHEEL.seconds_to_next(session)
        for _ in range(LOOKS):
            begun = perf_counter()
            await WHEEL.seconds_to_next(session)
            spent.append((perf_counter() - begun) * 1000)
    middle = median(spent)
    row = [f"{bench.shop.running_clocks:,}", number(middle, 2), number(sorted(spent)[int(LOOKS * 0.99)], 2)]
    table = Table("The next promise that falls due", ("running clocks", "p50 ms", "p99 ms"), [row])
    return Measured(table, {"next_due_ms": middle})
