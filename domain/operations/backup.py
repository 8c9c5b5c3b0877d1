"""A backup: one zip file with every table as PostgreSQL copies it, the stored files, and a manifest.

It is taken from one snapshot while the house works, and can be restored by any later Heddle: the tables are made as they
were, filled, and then migrated. All of a restore is one transaction. The secret key is not in it; a fingerprint is.
"""

import asyncio
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.answering.uploads import Upload
from domain.db import HISTORY, Base, Database
from domain.desk.files import Files, StoreDown
from domain.desk.messages import Attachment
from domain.desk.tickets import NUMBERS
from domain.importing.imports import Import
from domain.keys import Keys
from domain.migrations import HEAD, knows_revision, upgrade
from domain.operations.installation import restored
from domain.privacy.exports import ContactExport
from domain.settings import WrongSetting

FORMAT = 1
MANIFEST = "manifest.json"
PURPOSE = "backup"
CHUNK = 1 << 20

TABLES = """
    SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND c.relname <> 'alembic_version'
    GROUP BY c.relname ORDER BY c.relname"""
SEQUENCES = """
    SELECT sequencename, last_value FROM pg_sequences
    WHERE schemaname = current_schema() AND last_value IS NOT NULL"""
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text AS owner, conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND conparentid = 0"""


STORED: dict[type[Base], bool] = {Attachment: False, Import: False, Upload: True, ContactExport: True}
"""Whose `file` is the key of stored bytes; is it known before these are there, until `finished_at`?"""

UNREADABLE = (
    zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, OSError, EOFError, RuntimeError, NotImplementedError,
)  # fmt: skip
"""What a file that is no zip, or a damaged one, makes of reading it."""


class NoBackup(WrongSetting):
    """One sentence: what is wrong with the file, or with where it should go."""


@dataclass
class Manifest:
    revision: str
    """Of the tables."""
    key: str
    """Signed with the secret key: another one opens nothing of this."""
    heddle: str = field(default_factory=lambda: version("heddle"))
    made_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    columns: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    files: int = 0
    missing: list[str] = field(default_factory=list)
    """Files that the database knows and the folder did not have."""
    sha256: dict[str, str] = field(default_factory=dict)
    """Of each entry."""
    format: int = FORMAT


async def back_up(db: Database, keys: Keys, files: Files, target: Path) -> Manifest:
    connection = await db.connect()
    try:
        out = os.fdopen(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
    except OSError as failure:
        await connection.close()
        raise NoBackup(f"{target} cannot be written: {failure.strerror}.") from None
    try:
        with out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                revision = await connection.fetchval("SELECT version_num FROM alembic_version")
                manifest = Manifest(revision, keys.sign(PURPOSE))
                await _write_tables(connection, archive, manifest)
                await _write_files(connection, files, archive, manifest)
            archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
    except OSError as failure:
        os.unlink(target)
        raise NoBackup(f"{target} was not made: {failure}.") from None
    except asyncpg.UndefinedTableError:
        os.unlink(target)
        raise NoBackup(
            "There is no Heddle in the database. Is HEDDLE_DATA (or HEDDLE_DATABASE_URL) that of the server?"
        ) from None
    except BaseException:
        os.unlink(target)
        raise
    finally:
        await connection.close()
    return manifest


async def _write_tables(connection: asyncpg.Connection, archive: zipfile.ZipFile, manifest: Manifest) -> None:
    for table, columns in await connection.fetch(TABLES):
        digest = hashlib.sha256()
        name = _entry(table)
        with archive.open(name, "w", force_zip64=True) as entry:

            async def write(data: bytes, digest: Any = digest, entry: Any = entry) -> None:
                digest.update(data)
                entry.write(data)

            # A partitioned table cannot be copied itself.
            rows = f"SELECT {_listed(columns)} FROM {_quoted(table)}"
            copied = await connection.copy_from_query(rows, output=write)
        manifest.columns[table], manifest.rows[table] = columns, int(copied.split()[-1])
        manifest.sha256[name] = digest.hexdigest()
    manifest.sequences = dict(map(tuple, await connection.fetch(SEQUENCES)))


async def _write_files(
    connection: asyncpg.Connection, files: Files, archive: zipfile.ZipFile, manifest: Manifest
) -> None:
    for (key,) in await connection.fetch(_stored(manifest.columns)):
        try:
            content = await files.get(key)
        except FileNotFoundError:
            manifest.missing.append(key)
            continue
        name = f"files/{key}"
        await asyncio.to_thread(archive.writestr, name, content)
        manifest.sha256[name] = hashlib.sha256(content).hexdigest()
        manifest.files += 1


def _stored(there: dict[str, list[str]]) -> str:
    """The keys. An older database does not have all of these tables and columns."""
    said = []
    for model, is_early in STORED.items():
        table, columns = model.__tablename__, there.get(model.__tablename__, [])
        if "file" in columns:
            unfinished = " AND finished_at IS NOT NULL" if is_early and "finished_at" in columns else ""
            said.append(f"SELECT file FROM {_quoted(table)} WHERE file IS NOT NULL{unfinished}")
    return " UNION ".join(said)


def read_manifest(source: Path) -> Manifest:
    """After looking at every byte of the file."""
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = Manifest(**json.loads(archive.read(MANIFEST)))
            if manifest.format != FORMAT:
                raise NoBackup(
                    f"{source} was made by another Heddle ({manifest.heddle}), in a format this one does not read."
                )
            for name, expected in manifest.sha256.items():
                digest = hashlib.sha256()
                with archive.open(name) as entry:
                    while chunk := entry.read(CHUNK):
                        digest.update(chunk)
                if digest.hexdigest() != expected:
                    raise NoBackup(f"{source} is damaged: {name} is not what was written.")
    except FileNotFoundError:
        raise NoBackup(f"There is no {source}.") from None
    except UNREADABLE as failure:
        raise NoBackup(f"{source} is no backup, or a damaged one: {failure}.") from failure
    return manifest


async def restore(db: Database, keys: Keys, files: Files, source: Path, *, any_key: bool = False) -> Manifest:
    """Into a database that holds nothing. What it then would send is held until `release`."""
    manifest = await asyncio.to_thread(read_manifest, source)
    if not knows_revision(manifest.revision):
        raise NoBackup(f"{source} was made by a newer Heddle ({manifest.heddle}).")
    if not any_key and not keys.signed(manifest.key, PURPOSE):
        raise NoBackup(
            "HEDDLE_SECRET_KEY is not the key of this backup: credentials, links and sessions in it would be lost."
        )
    with zipfile.ZipFile(source) as archive:
        async with db.engine.begin() as connection:
            await _empty(connection)
            await upgrade(connection, manifest.revision)
            async with _without_foreign_keys(connection):
                await _read_tables(connection, archive, manifest)
            await upgrade(connection, HEAD)
            await _renumber(connection)
            await restored(connection)
            try:
                for name in manifest.sha256:
                    if name.startswith("files/"):
                        await files.keep(name.removeprefix("files/"), archive.read(name))
            except StoreDown as failure:
                raise NoBackup(f"Nothing was restored: {failure}.") from None
    return manifest


async def _empty(connection: AsyncConnection) -> None:
    """Takes away what a start has made. What is not ours stays."""
    ours = Base.metadata.tables.keys()
    there = [table for table, _ in await _driver(connection).fetch(TABLES) if table in ours]
    for table in there:
        rows = text(f"SELECT EXISTS (SELECT FROM {_quoted(table)})")
        if table != "installation" and await connection.scalar(rows):
            raise NoBackup(f"The database is not empty: there are rows in {table}. Restore into a new one.")
    for table in (*there, "alembic_version"):
        await connection.execute(text(f"DROP TABLE IF EXISTS {_quoted(table)} CASCADE"))
    for sequence in (HISTORY, NUMBERS):
        await connection.execute(text(f"DROP SEQUENCE IF EXISTS {_quoted(sequence.name)}"))
    for function in ("audit_is_append_only", "tags_are_listed"):
        await connection.execute(text(f"DROP FUNCTION IF EXISTS {function}()"))


async def _read_tables(connection: AsyncConnection, archive: zipfile.ZipFile, manifest: Manifest) -> None:
    driver = _driver(connection)
    for table, columns in manifest.columns.items():
        with archive.open(_entry(table)) as entry:
            copied = await driver.copy_to_table(table, source=entry, columns=columns)
        if int(copied.split()[-1]) != manifest.rows[table]:
            raise NoBackup(f"{table} has {copied.split()[-1]} rows, not {manifest.rows[table]}.")
    for sequence, value in manifest.sequences.items():
        await driver.execute("SELECT setval($1::text::regclass, $2)", _quoted(sequence), value)


@asynccontextmanager
async def _without_foreign_keys(connection: AsyncConnection) -> AsyncIterator[None]:
    """Tables refer to each other in circles; to put off the checks instead, one would have to be a superuser."""
    driver = _driver(connection)
    constraints = await driver.fetch(FOREIGN_KEYS)
    for owner, name, _ in constraints:
        await driver.execute(f"ALTER TABLE {owner} DROP CONSTRAINT {_quoted(name)}")
    yield
    for owner, name, definition in constraints:
        await driver.execute(f"ALTER TABLE {owner} ADD CONSTRAINT {_quoted(name)} {definition}")


async def _renumber(connection: AsyncConnection) -> None:
    """Transaction numbers are another server's: here they may lie in the future, where no reader looks.

    Each event gets the number of the first reader, in their order, that had it before it; each reader then stands
    behind its own number, with the same before and after it as it had.
    """
    places = (await connection.execute(text("SELECT name, xid, seq FROM reader ORDER BY xid, seq"))).all()
    lowest = 3  # the first number of a transaction there is
    number = str(lowest + len(places))
    for index, (_, xid, seq) in reversed(list(enumerate(places))):
        number = f"CASE WHEN (xid, seq) <= ('{xid}'::xid8, {seq}) THEN {lowest + index} ELSE {number} END"
    await connection.execute(text(f"UPDATE audit_entry SET xid = '{lowest}' WHERE hash IS NULL"))
    await connection.execute(text(f"UPDATE event SET xid = ({number})::text::xid8"))
    for index, (name, _, _) in enumerate(places):
        await connection.execute(
            text(f"UPDATE reader SET xid = '{lowest + index}', seq = {2**62} WHERE name = :name"),
            {"name": name},
        )


def _driver(connection: AsyncConnection) -> Any:
    """asyncpg's own connection, which can copy, in the same transaction."""
    return connection.sync_connection.connection.driver_connection  # type: ignore[union-attr]


def _entry(table: str) -> str:
    return f"tables/{table}.copy"


def _listed(columns: list[str]) -> str:
    return ", ".join(map(_quoted, columns))


def _quoted(name: Any) -> str:
    return '"' + str(name).replace('"', '""') + '"'
