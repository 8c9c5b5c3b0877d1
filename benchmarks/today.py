"""The first page of a manager's phone: what is late, who is there, how much there is to do."""

from statistics import median

import orjson

from benchmarks.bench import Bench, Measured
from benchmarks.comparing import Peer, compare, table
from benchmarks.graphql import graphql
from benchmarks.screens import operation

OPERATION = "MToday"


async def measure(bench: Bench) -> Measured:
    product = Peer("Heddle", bench.product, [graphql(bench, operation(OPERATION))])
    size = await _shows_work(product)
    await compare(bench, [product])
    figures = {"today_per_second": median(product.rounds.rates)}
    if cost := product.rounds.cost():
        figures["today_cpu_ms"] = cost
    note = f"{size / 1024:.0f} KB: `{OPERATION}` of docs/operations."
    return Measured(table("Today on the phone", [product], note), figures)


async def _shows_work(product: Peer) -> int:
    """Something is late, somebody is there: a page about nothing would be quick."""
    body = await product.body()
    today = orjson.loads(body)["data"]
    if not (today["risk"]["edges"] and today["agents"] and today["counters"]["breached"]):
        raise RuntimeError(f"nothing is late on the phone's page: {body[:300]!r}")
    return len(body)
