"""Many deadlines, half of them in one instant, two workers, and `kill -9`: each fires once and never early; how late?"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from sqlalchemy import func, select, text

from benchmarks import report
from benchmarks.bench import Table, number
from benchmarks.sizes import Sizes
from domain.actors import Role
from domain.agents.staff import add_agent
from domain.alerting.alerts import TOPIC, Alert, AlertKind
from domain.customers.contacts import Contact
from domain.db import Database, database_time, new_id, ring
from domain.events import Event, EventKind, Reader, up_to
from domain.migrations import migrate
from domain.operations.postgres import embedded
from domain.sla import policies
from domain.sla.clocks import Clock
from domain.sla.hours import ALWAYS
from domain.sla.targets import Metric, Target
from notifications import dispatch

ROOT = Path(__file__).parent.parent
SEED = 8
KILLS = 8
WORKERS = 2
AHEAD = 2.0
"""Seconds from writing the clocks to the first deadline."""
PATIENCE = 600.0
SECRET = "a secret for killed workers that is long enough"
NOWHERE = "smtp://127.0.0.1:1"


@dataclass(frozen=True)
class Proof:
    deadlines: int
    alerts: int
    breaches: int
    """Events `sla_breached`; as many as deadlines, as are the alerts."""
    early: int
    """Written before their time."""
    double: int
    missed: int
    kills: int
    read_in: float
    """Seconds after the last deadline until `notifications` had read of every alert."""

    @property
    def holds(self) -> bool:
        return self.alerts == self.breaches == self.deadlines and not (
            self.early or self.double or self.missed
        )


async def measured(url: str, folder: Path, sizes: Sizes) -> tuple[Table, bool]:
    """Once without kills and once with; whether every count was right."""
    db = Database(url)
    try:
        await migrate(db)
        await fill(db, sizes.open_tickets)
        rows, proofs = [], []
        for kills in (0, KILLS):
            proof = await prove(db, folder, sizes.deadlines, seconds=60.0, kills=kills)
            proofs.append(proof)
            rows.append(_row(proof, await lateness(db)))
        columns = (
            "kill -9",
            "alerts",
            "early",
            "missed",
            "double",
            "p50 s",
            "p99 s",
            "largest s",
            "all told s",
        )
        note = (
            f"{sizes.open_tickets:,} open tickets, {sizes.deadlines:,} running clocks, {WORKERS} workers that do all else "
            f"too. From the promised moment to the commit of its alert; the last column: from the last deadline until "
            f"`notifications` had read of every alert. Two of the kills strike within 0.5 s "
            f"after the instant: what is late then has waited for a worker to start."
        )
        return Table(report.DEADLINES, columns, rows, note), all(proof.holds for proof in proofs)
    finally:
        await db.close()


def keep_commit_times(folder: Path) -> None:
    """The server of this folder notes from its next start on when each transaction was committed."""

    async def order(url: str) -> None:
        db = Database(url)
        async with db.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text("ALTER SYSTEM SET track_commit_timestamp = on"))
        await db.close()

    with embedded(folder, durable=False) as url:
        asyncio.run(order(url))


async def fill(db: Database, tickets: int) -> None:
    """A shop with one manager, who has no device, one customer, and so many open tickets."""
    async with db.transaction() as session:
        now = await database_time(session)
        await add_agent(
            session, email="mia@shop.example", name="Mia", role=Role.MANAGER, password_hash=None, at=now
        )
        targets = [Target(Metric.FIRST_REPLY, 60)]
        await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)
        contact = Contact(id=new_id(), name="Ada", created_at=now)
        session.add(contact)
        await session.flush()
        await session.execute(
            text("""
                INSERT INTO ticket (id, contact_id, subject, status, tags, created_at, updated_at)
                SELECT gen_random_uuid(), :contact, 'Order ' || place, 'open', '[]', now(), now()
                FROM generate_series(1, :tickets) AS place"""),
            {"contact": contact.id, "tickets": tickets},
        )
    async with db.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM ANALYZE ticket"))


async def prove(db: Database, folder: Path, deadlines: int, *, seconds: float, kills: int) -> Proof:
    async with db.transaction() as session:
        await session.execute(text("TRUNCATE clock, alert, notice, delivery, event CASCADE"))
    dice = random.Random(SEED)
    async with asyncio.timeout(PATIENCE), _working(db, folder) as workers:
        await _promise(db, dice, deadlines, seconds)
        begun = perf_counter()
        for moment in _moments(dice, seconds, kills):
            await asyncio.sleep(max(0.0, begun + AHEAD + moment - perf_counter()))
            unlucky = dice.choice(workers)
            await unlucky.fall()
            await unlucky.rise()
        await asyncio.sleep(max(0.0, begun + AHEAD + seconds - perf_counter()))
        ended = perf_counter()
        while not await _is_over(db):  # noqa: ASYNC110 - it happens in other processes
            await asyncio.sleep(0.2)
        read_in = perf_counter() - ended
        return await _counted(db, deadlines, kills, read_in)


def _moments(dice: random.Random, seconds: float, kills: int) -> list[float]:
    """When somebody is killed, two of them while the instant's deadlines are being fired."""
    within = [seconds / 2 + dice.uniform(0.05, 0.5) for _ in range(min(2, kills))]
    return sorted([*within, *(dice.uniform(0, seconds) for _ in range(kills - len(within)))])


async def _promise(db: Database, dice: random.Random, deadlines: int, seconds: float) -> None:
    """Half of them end in the instant in the middle, the others anywhere."""
    places = [seconds / 2] * (deadlines // 2)
    places += [dice.uniform(0, seconds) for _ in range(deadlines - len(places))]
    async with db.transaction() as session:
        await session.execute(
            text("""
                INSERT INTO clock (id, ticket_id, policy_id, metric, started_at, target_seconds, warn_at, due_at, next_at)
                SELECT gen_random_uuid(), ticket.id, policy.id, 'first_reply', now(), 60, '{}', due, due
                FROM (SELECT id, row_number() OVER () AS place FROM ticket LIMIT :deadlines) AS ticket
                JOIN (SELECT now() + s * interval '1 second' AS due, place
                    FROM unnest(CAST(:places AS float[])) WITH ORDINALITY AS one (s, place)) AS moment USING (place)
                CROSS JOIN policy"""),
            {"deadlines": deadlines, "places": [AHEAD + place for place in places]},
        )
        ring(session, TOPIC)


async def _is_over(db: Database) -> bool:
    """No clock has anything to come, and whoever tells people has read of every alert that fired."""
    async with db.reading() as connection:
        place = select(Reader.xid, Reader.seq).where(Reader.name == dispatch.NAME)
        xid, seq = (await connection.execute(place)).one()
        unread = select(Event.seq).where(Event.kind == EventKind.ALERT_FIRED, ~up_to((xid, seq)))
        waiting = select(Clock.id).where(Clock.next_at.is_not(None))
        return not await connection.scalar(select(waiting.exists() | unread.exists()))


async def _counted(db: Database, deadlines: int, kills: int, read_in: float) -> Proof:
    count = func.count()
    broken = Alert.kind == AlertKind.SLA_BREACHED
    fired = Event.kind == EventKind.ALERT_FIRED
    early = Event.recorded_at < Event.at
    each = select(count.label("times")).where(fired).group_by(Event.ticket_id).subquery()
    never = ~select(Alert.id).where(Alert.clock_id == Clock.id, Alert.fired_at == Clock.due_at).exists()
    queries = (
        select(count).select_from(Alert).where(broken),
        select(count).where(Event.kind == EventKind.SLA_BREACHED),
        select(count).where(fired, early),
        select(count).select_from(each).where(each.c.times > 1),
        select(count).select_from(Clock).where(never),
    )
    async with db.reading() as connection:
        alerts, breaches, early_ones, double, missed = [
            (await connection.execute(query)).scalar_one() for query in queries
        ]
    return Proof(deadlines, alerts, breaches, early_ones, double, missed, kills, read_in)


async def lateness(db: Database) -> list[float]:
    """Seconds from each promised moment to the commit of its alert, the least first."""
    committed = text("""
        SELECT extract(epoch FROM pg_xact_commit_timestamp(xid::xid) - at)::float AS late
        FROM event WHERE kind = 'alert_fired' ORDER BY late""")
    async with db.reading() as connection:
        return list((await connection.execute(committed)).scalars())


def _row(proof: Proof, late: Sequence[float]) -> list[str]:
    percentiles = quantiles(late, n=100, method="inclusive")
    counts = (proof.kills, proof.alerts, proof.early, proof.missed, proof.double)
    times = (percentiles[49], percentiles[98], late[-1])
    return [*(f"{count:,}" for count in counts), *(number(time, 2) for time in times), number(proof.read_in)]


class Worker:
    """`heddle worker`, which can be killed and comes back."""

    def __init__(self, db: Database, folder: Path) -> None:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
        settings = {"HEDDLE_DATABASE_URL": db.url, "HEDDLE_SECRET_KEY": SECRET, "HEDDLE_DATA": str(folder)}
        self._environment = outside | settings | {"HEDDLE_SMTP_URL": NOWHERE}
        self._log = folder / "workers"

    async def rise(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "api.cli", "worker"),
                cwd=ROOT,
                env=self._environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )

    async def is_ready(self) -> None:
        assert self._process.stdout
        if not await self._process.stdout.readline():
            raise RuntimeError(f"A worker did not start: {self._log.read_text()[-500:]}")

    async def fall(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def _working(db: Database, folder: Path) -> AsyncIterator[list[Worker]]:
    workers = [Worker(db, folder) for _ in range(WORKERS)]
    try:
        for worker in workers:
            await worker.rise()
        for worker in workers:
            await worker.is_ready()
        yield workers
    finally:
        for worker in workers:
            await worker.fall()
