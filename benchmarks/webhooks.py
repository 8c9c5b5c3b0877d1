"""Signed Messenger webhooks, sixteen at once: each is answered when its original is safe in the database."""

from statistics import median

from sqlalchemy import func, select, update

from benchmarks.bench import Bench, Measured, Table
from benchmarks.client import request
from benchmarks.data.letters import messenger_bodies
from benchmarks.data.loading import APP_SECRET
from benchmarks.rounds import COLUMNS, Rounds
from domain.arriving.inbound import Arrival, ArrivalState
from integrations.signatures import messenger_signature

CONNECTIONS = 16
WARMING = 64
HOOK = "/hooks/messenger/messenger"


async def measure(bench: Bench) -> Measured:
    await Rounds().add(
        bench.product, bench.postgres, _posts("warming", WARMING), connections=CONNECTIONS, seconds=30
    )
    rounds, accepted = Rounds(), WARMING
    for turn in range(bench.sizes.rounds):
        accepted += await rounds.add(
            bench.product,
            bench.postgres,
            _posts(f"webhook{turn}", bench.sizes.requests),
            connections=CONNECTIONS,
            seconds=bench.sizes.seconds,
        )
    await _count_and_settle(bench, accepted)
    table = Table(
        f"Messenger webhooks, {CONNECTIONS} at once", ("", *COLUMNS), [rounds.row("Heddle accepts")]
    )
    return Measured(table, {"webhooks_per_second": median(rounds.rates)})


def _posts(name: str, many: int) -> list[bytes]:
    return [
        request(
            "POST",
            HOOK,
            body,
            content_type="application/json",
            x_hub_signature_256=messenger_signature(APP_SECRET, body),
        )
        for body in messenger_bodies(name, many)
    ]


async def _count_and_settle(bench: Bench, accepted: int) -> None:
    """What was accepted is there; and nobody has to open it any more, for a worker's own arrivals come next."""
    async with bench.db.transaction() as session:
        kept = await session.scalar(select(func.count()).select_from(Arrival))
        if kept != accepted:
            raise RuntimeError(f"{accepted} webhooks were accepted and {kept} kept")
        await session.execute(update(Arrival).values(due_at=None, state=ArrivalState.IGNORED))
