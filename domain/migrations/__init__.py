"""The tables, version by version. `heddle migrate` and every start bring a database up to date."""

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.db import Base, Database
from domain.events import ensure_partitions

if TYPE_CHECKING:  # a tenth of a start, and a database that is up to date does without
    from alembic.config import Config

# isort: split
# Every table:
from domain import access, auditor, once, shop  # noqa: F401
from domain.agents import duty, invitations, presence, second_factor, system_mail, tries  # noqa: F401
from domain.alerting import alert_preferences  # noqa: F401
from domain.answering import absence  # noqa: F401
from domain.arriving import acknowledging, participants, parts  # noqa: F401
from domain.assigning import policies  # noqa: F401
from domain.calling import dialled_numbers, dials, early_calls  # noqa: F401
from domain.complaints import complaints  # noqa: F401
from domain.customers import consents, duplicates, name_lookups  # noqa: F401
from domain.desk import revisions  # noqa: F401
from domain.feedback import requests, surveys  # noqa: F401
from domain.finding import indexing, views  # noqa: F401
from domain.operations import installation  # noqa: F401
from domain.planning import templates  # noqa: F401
from domain.privacy import retention  # noqa: F401
from domain.reporting import measurements  # noqa: F401
from domain.sla import clocks, recounts  # noqa: F401
from domain.tagging import changes, tags  # noqa: F401
from domain.ways_in import blocking, fetching  # noqa: F401
from domain.working import drafts, edits, links, mentions, viewing  # noqa: F401

ONE_AT_A_TIME = 4_811_900_217
"""The advisory lock that makes several starting processes migrate one after another."""


HEAD = "head"

_REVISION = re.compile(
    r"^revision = ['\"](?P<revision>\w+)['\"]\ndown_revision = (?:None|['\"](?P<before>\w+)['\"])$",
    re.MULTILINE,
)


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "domain:migrations")
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    return config


def ours(name: str | None, kind: str, *_: object) -> bool:
    """Partitions are made as months come; they are no tables of the model."""
    return not (kind == "table" and (name or "").startswith("event_"))


async def migrate(db: Database) -> None:
    async with db.engine.begin() as connection:
        await upgrade(connection, HEAD)


async def upgrade(connection: AsyncConnection, revision: str) -> None:
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})"))
    if revision != HEAD or await behind(connection):
        from alembic import command

        await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))
    await ensure_partitions(connection, datetime.now(UTC).date())


def knows_revision(revision: str) -> bool:
    return revision in _revisions()


async def behind(connection: AsyncConnection) -> bool:
    """Is the database of another version, or empty?"""
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return True
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision != newest_revision()


def newest_revision() -> str:
    """The one that no other goes on from."""
    (newest,) = _revisions().keys() - _revisions().values()
    return newest


@cache
def _revisions() -> dict[str, str | None]:
    """Each with the one before it."""
    written = [file.read_text() for file in (Path(__file__).parent / "versions").glob("*.py")]
    return {one["revision"]: one["before"] for one in (_REVISION.search(text) for text in written) if one}


async def differences(db: Database) -> list[object]:
    """What the models say and the database does not, or the other way round."""

    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"include_name": ours, "compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with db.reading() as connection:
        return await connection.run_sync(compare)


async def write_migration(db: Database, message: str) -> None:
    """A new version for what the models say, against a database that is up to date."""
    from alembic import command

    async with db.engine.begin() as connection:
        await connection.run_sync(
            lambda sync: command.revision(_config(sync), message=message, autogenerate=True)
        )
