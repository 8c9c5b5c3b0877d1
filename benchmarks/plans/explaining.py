"""How the database answers a statement: which tables it goes through, and how."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.plans.hearing import Said

STAY_SMALL = frozenset({
    "agent", "alembic_version", "alert_preferences", "api_token", "assignment_policy", "attendance", "calendar", "channel",
    "custom_field", "dialled_number", "fetched_box", "import", "installation", "macro", "password_link", "policy", "promise_audit",
    "reader", "recount", "retention", "rota", "search_fill", "second_factor", "shop", "survey", "task_template", "team",
    "team_member", "ticket_view", "upload", "webhook",
})  # fmt: skip
"""What a shop has, or what is swept away. All other tables grow with what happens."""

WAYS = {"Seq Scan": "seq", "Index Scan": "index", "Index Only Scan": "only", "Bitmap Index Scan": "bitmap"}
GATHERING = {"Sort", "Aggregate", "Hash", "WindowAgg"}
"""What stands below is read to its end, whatever limit stands above."""

CATALOG = """
SELECT place.relname AS name, coalesce(whole.relname, place.relname) AS stands_for, index.indpred IS NOT NULL AS is_partial,
       coalesce(of.relname, '') AS of
FROM pg_class AS place
LEFT JOIN pg_inherits ON inhrelid = place.oid AND place.relkind = 'r' LEFT JOIN pg_class AS whole ON whole.oid = inhparent
LEFT JOIN pg_index AS index ON indexrelid = place.oid LEFT JOIN pg_class AS of ON of.oid = indrelid
WHERE place.relnamespace = 'public'::regnamespace AND place.relkind IN ('r', 'i')
"""


@dataclass(frozen=True)
class Scan:
    table: str
    way: str
    """One of `WAYS`."""
    rows: float
    """That were looked at, the ones that did not fit included; 0 where it was only planned."""
    is_whole: bool
    """Nothing narrows it down, and nothing lets it stop early."""
    is_hashed: bool
    """All that a subquery may ask for is read beforehand: with a large table and few who ask, each asks by itself."""

    @property
    def goes_through_what_grows(self) -> bool:
        return self.is_whole and self.table not in STAY_SMALL


@dataclass(frozen=True)
class Plan:
    scans: list[Scan]
    planning: float
    """Milliseconds, as `execution`."""
    execution: float


@dataclass(frozen=True)
class Catalog:
    stands_for: Mapping[str, str]
    """Of a partition, the table that it is a part of; of any other table or index itself."""
    table_of: Mapping[str, str]
    """Of an index."""
    partial: Collection[str]
    """Indexes that hold only some rows: all of one may be what is asked for."""


async def catalog(connection: AsyncConnection) -> Catalog:
    rows = (await connection.execute(text(CATALOG))).all()
    stands_for = {row.name: row.stands_for for row in rows}
    table_of = {row.name: stands_for[row.of] for row in rows if row.of}
    return Catalog(stands_for, table_of, {row.name for row in rows if row.is_partial})


def can_be_explained(said: Said) -> bool:
    return said.text.lstrip("( ").startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))


async def explain(connection: AsyncConnection, known: Catalog, said: Said, *, run: bool = True) -> Plan:
    """Runs it too, if it is to: whoever does not want what it changes rolls back."""
    options = "ANALYZE, BUFFERS, VERBOSE, FORMAT JSON" if run else "VERBOSE, FORMAT JSON"
    found = await connection.exec_driver_sql(f"EXPLAIN ({options}) {said.text}", said.parameters or ())
    (told,) = found.scalar_one()
    return Plan(
        list(scans(told["Plan"], known)), told.get("Planning Time", 0.0), told.get("Execution Time", 0.0)
    )


def scans(
    node: Mapping[str, Any], known: Catalog, *, stops_early: bool = False, is_hashed: bool = False
) -> Iterator[Scan]:
    kind = node["Node Type"]
    if kind == "Limit":
        stops_early = True
    elif kind in GATHERING or node.get("Parent Relationship") in ("InitPlan", "SubPlan"):
        stops_early = False
    if way := WAYS.get(kind):
        yield _scan(node, way, known, stops_early, is_hashed)
    for below in node.get("Plans", ()):
        hashed = is_hashed or _is_hashed(below, node)
        yield from scans(below, known, stops_early=stops_early, is_hashed=hashed)


def _is_hashed(below: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    said = f"hashed {below.get('Subplan Name')})"
    return any(said in str(value) for name, value in node.items() if name != "Plans")


def _scan(node: Mapping[str, Any], way: str, known: Catalog, stops_early: bool, is_hashed: bool) -> Scan:
    index = node.get("Index Name", "")
    table = known.table_of[index] if index else known.stands_for.get(node["Relation Name"], "")
    looked_at = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
    narrow = stops_early or index in known.partial or ("Index Cond" in node and way != "seq")
    return Scan(table, way, looked_at * node.get("Actual Loops", 0), not narrow, is_hashed)
