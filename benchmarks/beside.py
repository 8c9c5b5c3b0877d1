"""Databases beside that of the shop, on the same server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url, text

from benchmarks.bench import Bench
from domain.db import Database
from domain.migrations import migrate


@asynccontextmanager
async def database_beside(bench: Bench, name: str) -> AsyncIterator[Database]:
    """With all tables, and nothing in them."""
    async with bench.db.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    db = Database(make_url(bench.db.url).set(database=name).render_as_string(hide_password=False))
    try:
        await migrate(db)
        yield db
    finally:
        await db.close()
