"""Which statements have no index to go by: they would go through a whole table, however large it becomes."""

from collections.abc import Iterable

from sqlalchemy import text

from benchmarks.plans.explaining import can_be_explained, catalog, explain
from benchmarks.plans.hearing import Said
from domain.db import Database

ONLY_IF_THERE_IS_NO_OTHER_WAY = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
"""How small tables are best gone through, and large ones are not."""


async def without_index(db: Database, said: Iterable[Said]) -> list[tuple[str, str, str]]:
    """Who says it, which table that grows is gone through, and the statement."""
    found = []
    async with db.reading() as connection:
        known = await catalog(connection)
        for way in ONLY_IF_THERE_IS_NO_OTHER_WAY:
            await connection.execute(text(f"SET LOCAL {way} = off"))
        for one in filter(can_be_explained, said):
            plan = await explain(connection, known, one, run=False)
            found += [
                (one.by, scan.table, one.text)
                for scan in plan.scans
                if scan.way == "seq" and not scan.is_hashed and scan.goes_through_what_grows
            ]
    return found
