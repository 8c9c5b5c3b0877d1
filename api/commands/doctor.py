"""`heddle doctor`: is this installation well? It only looks; nothing is brought up to date."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken
from sqlalchemy import func, select, text

from api.commands.findings import Finding, Health, Patient
from api.commands.ways_in import of_channels, of_what_is_fetched
from api.running import Settings, unknown_settings
from domain import audit, auditor
from domain.alerting.devices import RINGS, Device, Fitness, fitness
from domain.db import Database, database_time
from domain.desk.files import Files, StoreDown
from domain.desk.messages import Attachment
from domain.following import left_out, unread_since
from domain.keys import Keys
from domain.migrations import behind, differences
from domain.operations.installation import held_since
from domain.privacy.erasure import Erasure
from domain.queues import waiting
from domain.ways_in.channels import Channel
from integrations.scanning.clamd import ScannerDown, version

LATE = 600.0
"""Seconds after which what waits should have been done, and an event should have been read."""
SKEW = 2.0
SPACE = 1 << 30
MANY_ORIGINALS = 20 * SPACE
OLDEST = 15
"""PostgreSQL."""
LOOKED_AT = 1000
PATIENCE = 5.0
SMTP_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


async def _database(patient: Patient) -> AsyncIterator[Finding]:
    number = int(await patient.connection.scalar(text("SHOW server_version_num")) or 0)
    health = Health.WELL if number // 10_000 >= OLDEST else Health.ILL
    yield Finding(
        "database", health, f"PostgreSQL {number // 10_000}.{number % 10_000}, at least {OLDEST} is needed"
    )
    skew = (datetime.now(UTC) - await database_time(patient.connection)).total_seconds()
    health = Health.WELL if abs(skew) <= SKEW else Health.ODD
    yield Finding("clock", health, f"this machine's differs from the database's by {abs(skew):.1f} s")


async def _tables(patient: Patient) -> AsyncIterator[Finding]:
    different = await differences(patient.db)
    said = (
        "they are what this version says"
        if not different
        else f"{len(different)} differences, such as {different[0]}"
    )
    yield Finding("tables", Health.ILL if different else Health.WELL, said[:200])
    year = datetime.now(UTC).year
    there = await patient.connection.scalar(select(func.to_regclass(f"event_{year}")))
    said = (
        f"the events of {year} have their partition"
        if there
        else f"event_{year} is missing: `heddle migrate`"
    )
    yield Finding("partitions", Health.WELL if there else Health.ILL, said)


async def _secret_key(patient: Patient) -> AsyncIterator[Finding]:
    sealed = (await patient.connection.execute(select(Channel.slug, Channel.secrets))).all()
    retired = await patient.connection.execute(select(Channel.slug, Channel.retired))
    erased = select(func.concat("erasure ", Erasure.id), Erasure.wrapped_key)
    erasures = await patient.connection.execute(erased.where(Erasure.wrapped_key.is_not(None)))
    closed = []
    for slug, secrets in [*sealed, *retired, *erasures]:
        try:
            if secrets is not None:
                patient.keys.decrypt(secrets)
        except InvalidToken:
            closed.append(slug)
    said = (
        f"it opens the credentials of {len(sealed)} channels"
        if not closed
        else f"it does not open those of {', '.join(dict.fromkeys(closed))}"
    )
    yield Finding("secret key", Health.ILL if closed else Health.WELL, said)


async def _queues(patient: Patient) -> AsyncIterator[Finding]:
    now = await database_time(patient.connection)
    held = await held_since(patient.connection)
    for queue in await waiting(patient.connection):
        late, failing = (_is_late(since, now) for since in (queue.oldest, queue.failing_since))
        holds = held is not None and queue.outward
        said = f"{queue.count} due"
        if queue.oldest:
            said += f", the oldest since {queue.oldest:%Y-%m-%d %H:%M}"
        if queue.failing_since:
            said += (
                f", {queue.later} wait for another try, failing since {queue.failing_since:%Y-%m-%d %H:%M}"
            )
        odd = (holds and queue.count) or failing
        health = Health.ILL if late and not holds else Health.ODD if odd else Health.WELL
        yield Finding(f"queue {queue.topic}", health, said + (", held" if holds else ""))
    if held:
        yield Finding(
            "held", Health.ODD, f"since the restore of {held:%Y-%m-%d %H:%M} nothing leaves: `heddle release`"
        )


def _is_late(since: datetime | None, now: datetime) -> bool:
    return since is not None and (now - since).total_seconds() > LATE


async def _feed(patient: Patient) -> AsyncIterator[Finding]:
    now = await database_time(patient.connection)
    for name, since in (await unread_since(patient.connection)).items():
        late = _is_late(since, now)
        said = (
            f"has not read since {since:%Y-%m-%d %H:%M}: does a worker run?"
            if late
            else "has read what there is"
        )
        yield Finding(f"reader {name}", Health.ILL if late else Health.WELL, said)
    for name, count in (await left_out(patient.connection)).items():
        said = f"left out {count} of the last 30 days' events: `event_left_out` in the log says why"
        yield Finding(f"reader {name}", Health.ILL, said)


async def _files(patient: Patient) -> AsyncIterator[Finding]:
    newest = select(Attachment.file).where(Attachment.file.is_not(None)).order_by(Attachment.id.desc())
    keys = (await patient.connection.scalars(newest.limit(LOOKED_AT))).all()
    try:
        missing = [key for key in keys if not await patient.files.has(str(key))]
    except StoreDown as failure:
        yield Finding("files", Health.ILL, str(failure))
        return
    said = f"{len(keys)} looked at" + (
        f", {len(missing)} are not there, such as {missing[0]}" if missing else ""
    )
    yield Finding("files", Health.ILL if missing else Health.WELL, said)


async def _room(patient: Patient) -> AsyncIterator[Finding]:
    originals = int(await patient.connection.scalar(select(func.pg_total_relation_size("arrival"))) or 0)
    said = f"what came in takes {originals / SPACE:.1f} GiB of the database as it came"
    if too_many := originals > MANY_ORIGINALS:
        said += ": `heddle contact retention` says which channels keep it for ever"
    yield Finding("originals", Health.ODD if too_many else Health.WELL, said)
    free = shutil.disk_usage(patient.settings.domain.data).free
    yield Finding("space", Health.WELL if free > SPACE else Health.ILL, f"{free / SPACE:.1f} GiB are free")


async def _scanner(patient: Patient) -> AsyncIterator[Finding]:
    if not (url := patient.settings.integrations.scan_url):
        return
    try:
        yield Finding("scanner", Health.WELL, await version(url))
    except ScannerDown as failure:
        required = patient.settings.integrations.scan_required
        said = "files wait" if required else "files are let out unseen"
        yield Finding("scanner", Health.ILL, f"HEDDLE_SCAN_URL: {failure}; {said}")


async def _audit(patient: Patient) -> AsyncIterator[Finding]:
    position = await audit.broken_at(patient.connection)
    end = await audit.end_of_chain(patient.connection)
    said = (
        f"{end.position} entries, chained to {end.hash.hex()[:16] or 'none'}"
        if position is None
        else f"the chain is broken at {position}: entries were changed or removed"
    )
    yield Finding("audit", Health.WELL if position is None else Health.ILL, said)


async def _settings(patient: Patient) -> AsyncIterator[Finding]:
    base = urlsplit(patient.settings.domain.base_url)
    local = base.hostname in ("localhost", "127.0.0.1")
    said = f"HEDDLE_BASE_URL is {patient.settings.domain.base_url}"
    yield Finding(
        "base url",
        Health.WELL if base.scheme == "https" else Health.ODD,
        said + (", of this machine only" if local else ""),
    )
    if not patient.settings.notifications.fcm_credentials:
        yield Finding(
            "phones",
            Health.ODD,
            "HEDDLE_FCM_CREDENTIALS is not set: no app rings, only browsers, by Web Push",
        )
    relay = urlsplit(patient.settings.integrations.smtp_url)
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(relay.hostname, relay.port or SMTP_PORTS[relay.scheme])
        writer.close()
        yield Finding("mail", Health.WELL, f"{relay.hostname} answers")
    except (OSError, TimeoutError, UnicodeError) as failure:  # the last of a host such as mail..example
        yield Finding(
            "mail", Health.ILL, f"HEDDLE_SMTP_URL: {relay.hostname} does not answer ({failure or 'in time'})"
        )
    for name, meant in unknown_settings():
        yield Finding(
            "settings", Health.ODD, f"there is no {name}" + (f": did you mean {meant}?" if meant else "")
        )


async def _promises(patient: Patient) -> AsyncIterator[Finding]:
    looked = await auditor.last_look(patient.connection)
    if looked is None:
        yield Finding("promises", Health.ODD, "nobody has looked after them yet: no worker ran")
        return
    at, proven_at, found = looked
    late = (await database_time(patient.connection) - at).total_seconds() > LATE
    said = ", ".join(f"{name} {count}" for name, count in found.items() if count) or "nothing open"
    health = Health.WELL if proven_at == at and not late else Health.ILL
    yield Finding(
        "promises",
        health,
        f"proven {proven_at:%Y-%m-%d %H:%M}: {said}" if proven_at else f"not proven: {said}",
    )
    silent = [
        row.label
        for row in await patient.connection.execute(
            select(Device.label, Device.last_push_at, Device.last_receipt_at).where(RINGS)
        )
        if fitness(last_push_at=row.last_push_at, last_receipt_at=row.last_receipt_at, at=at)
        == Fitness.SILENT
    ]
    if silent:
        yield Finding(
            "devices", Health.ODD, f"{len(silent)} took the last push and never said that they showed it"
        )


CHECKS: tuple[Callable[[Patient], AsyncIterator[Finding]], ...] = (
    _settings, _database, _tables, _secret_key, of_channels, of_what_is_fetched, _queues, _feed, _promises, _files, _room, _scanner,
    _audit,
)  # fmt: skip


async def examine(settings: Settings, db: Database, keys: Keys, files: Files) -> AsyncIterator[Finding]:
    async with db.reading() as connection:
        if await behind(connection):
            yield Finding(
                "tables", Health.ILL, "they are of another version: `heddle migrate` brings them up to date"
            )
            return
        patient = Patient(settings, db, connection, keys, files)
        for check in CHECKS:
            async for finding in check(patient):
                yield finding
