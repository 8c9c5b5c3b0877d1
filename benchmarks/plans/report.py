"""Each statement that was said, explained at size."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from benchmarks.bench import Table, number
from benchmarks.data.loading import load
from benchmarks.plans.asking import a_moment
from benchmarks.plans.explaining import STAY_SMALL, Plan, can_be_explained, catalog, explain
from benchmarks.plans.filling import fill
from benchmarks.plans.hearing import Said
from benchmarks.report import PLANS
from benchmarks.sizes import Sizes
from domain.db import Database
from domain.keys import Keys
from domain.migrations import migrate

EVENTS_FOR_A_MESSAGE = 10
SLOWEST = 25
"""Rows of the table."""
WAYS_SHOWN = 4
STILL_SMALL = 40_000
"""Rows that are gone through sooner than by an index."""
KNOWN = {
    ("ASearch", "contact"): "The data's customers have twelve first names: every twelfth is looked for.",
    ("MStats", "measurement"): "Two months of the four that the data has are added up.",
}
"""Of the data, not of the statements."""
SECRET = "only as long as the benchmark runs and nobody else knows it"


async def measured(url: str, data: Path, sizes: Sizes) -> tuple[Table, bool]:
    """The slowest of all, and whether nothing goes through a table that grows."""
    db = Database(url)
    try:
        await migrate(db)
        shop = await load(db, Keys(SECRET), sizes)
        await fill(db, sizes.messages * EVENTS_FOR_A_MESSAGE)
        said = await a_moment({"database": url, "secret": SECRET, "folder": str(data)}, shop)
        explained = await explain_all(db, said)
    finally:
        await db.close()
    return table(explained), not any(faults(*one) for one in explained)


async def explain_all(db: Database, said: Iterable[Said]) -> list[tuple[Said, Plan]]:
    """Each is run twice, so that what was on the disk is not what is measured, and taken back."""
    explained = []
    async with db.reading() as connection:
        known = await catalog(connection)
        await connection.rollback()
        for one in filter(can_be_explained, said):
            try:
                for _ in range(2):
                    plan = await explain(connection, known, one)
                    await connection.rollback()
            except DBAPIError:  # what it inserts is there by now
                await connection.rollback()
                plan = await explain(connection, known, one, run=False)
                await connection.rollback()
            explained.append((one, plan))
    return explained


def faults(said: Said, plan: Plan) -> list[str]:
    """The tables that it goes through, however large they become."""
    whole = {scan.table for scan in plan.scans if scan.rows > STILL_SMALL and scan.goes_through_what_grows}
    return sorted(table for table in whole if (said.by, table) not in KNOWN)


def _ways(plan: Plan) -> str:
    """Through the tables that grow; of a whole screen, those where most was looked at."""
    most = sorted(plan.scans, key=lambda scan: scan.rows, reverse=True)
    ways = list(dict.fromkeys(f"{scan.way} {scan.table}" for scan in most if scan.table not in STAY_SMALL))
    return ", ".join(ways[:WAYS_SHOWN]) + (", …" if len(ways) > WAYS_SHOWN else "")


def table(explained: list[tuple[Said, Plan]]) -> Table:
    slowest = sorted(explained, key=lambda one: (bool(faults(*one)), one[1].execution), reverse=True)
    rows = [
        (
            f"{said.by}: {' '.join(said.text.split())[:60]}",
            number(plan.execution, 2),
            number(plan.planning, 2),
            number(sum(scan.rows for scan in plan.scans), 0),
            _ways(plan),
            ", ".join(faults(said, plan)) or "–",
        )
        for said, plan in slowest[:SLOWEST]
    ]
    many = sum(1 for _, plan in explained if plan.execution < 1)
    return Table(
        PLANS,
        ("statement", "ms", "planning ms", "rows looked at", "how", "goes through all of"),
        rows,
        f"{len(explained)} statements, {many} of them under a millisecond; the slowest are shown.",
    )
