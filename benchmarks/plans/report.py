"""Each statement that was said, explained at size."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from benchmarks.bench import Table, number
from benchmarks.data.loading import load
from benchmarks.plans.asking import a_moment
from benchmarks.plans.explaining import Plan, can_be_explained, catalog, explain
from benchmarks.plans.filling import fill
from benchmarks.plans.hearing import Said
from benchmarks.sizes import Sizes
from domain.db import Database
from domain.keys import Keys
from domain.migrations import migrate

EVENTS_FOR_A_MESSAGE = 10
SLOWEST = 40
"""Rows of the table."""
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
    return table(explained), not any(faults(plan) for _, plan in explained)


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


def faults(plan: Plan) -> list[str]:
    return sorted({scan.table for scan in plan.scans if scan.goes_through_what_grows})


def table(explained: list[tuple[Said, Plan]]) -> Table:
    slowest = sorted(explained, key=lambda one: (bool(faults(one[1])), one[1].execution), reverse=True)
    rows = [
        (
            f"{said.by}: {' '.join(said.text.split())[:60]}",
            number(plan.execution, 2),
            number(plan.planning, 2),
            number(sum(scan.rows for scan in plan.scans), 0),
            ", ".join(dict.fromkeys(f"{scan.way} {scan.table}" for scan in plan.scans)),
            ", ".join(faults(plan)) or "–",
        )
        for said, plan in slowest[:SLOWEST]
    ]
    many = sum(1 for _, plan in explained if plan.execution < 1)
    return Table(
        "Statements of the screens and the workers, explained",
        ("statement", "ms", "planning ms", "rows looked at", "how", "goes through all of"),
        rows,
        f"{len(explained)} statements, {many} of them under a millisecond; the slowest are shown.",
    )
