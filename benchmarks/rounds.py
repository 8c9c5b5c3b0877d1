"""What each round showed of one peer, told as the medians of all rounds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.bench import number
from benchmarks.client import burst
from benchmarks.processes import Child, Meter, Processor

COLUMNS = ("requests/s", "p50 ms", "p99 ms", "CPU ms: app", "database")


@dataclass
class Rounds:
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    app: list[float | None] = field(default_factory=list)
    database: list[float | None] = field(default_factory=list)

    async def add(
        self,
        child: Child,
        postgres: Processor,
        requests: Iterable[bytes],
        *,
        connections: int,
        seconds: float,
        least: int = 1,
    ) -> int:
        """Another round; how many requests were answered."""
        app, database = Meter(child.processor), Meter(postgres)
        done = await burst(child.port, requests, connections=connections, seconds=seconds, least=least)
        many = len(done.latencies)
        self.rates.append(done.per_second)
        self.p50.append(done.percentile(0.50) * 1000)
        self.p99.append(done.percentile(0.99) * 1000)
        self.app.append(app.milliseconds(many))
        self.database.append(database.milliseconds(many))
        return many

    def against(self, other: "Rounds") -> float:
        """How many requests were answered here while there it was one."""
        return median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))

    def cost(self) -> float | None:
        """Milliseconds of processor time for a request, the application's and the database's together."""
        app, database = middle(self.app), middle(self.database)
        return None if app is None or database is None else app + database

    def row(self, name: str) -> list[str]:
        rate = middle(self.rates) or 0.0
        shown = (
            (self.rates, 0 if rate >= 10 else 1),
            (self.p50, 1),
            (self.p99, 1),
            (self.app, 2),
            (self.database, 2),
        )
        return [name, *(number(middle(values), digits) for values, digits in shown)]


def middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
