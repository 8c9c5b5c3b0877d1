"""What whoever looks after a Heddle types: `heddle migrate`, `doctor`, `backup`, `restore`, `release`, `reseal`; and its developers."""

from pathlib import Path
from typing import Annotated

from cryptography.fernet import InvalidToken
from cyclopts import Parameter

from api.running import database_here, house_here, load_settings
from domain import audit, following
from domain.actors import SYSTEM
from domain.alerting import notices
from domain.audit import AuditKind
from domain.db import database_time, ring
from domain.desk.buckets import files_of
from domain.feedback import solving
from domain.keys import open_keys
from domain.migrations import differences, newest_revision, write_migration
from domain.migrations import migrate as bring_up_to_date
from domain.operations import backup, installation, resealing
from domain.queues import OUTWARD
from domain.settings import WrongSetting
from integrations.subscribers import posting as subscribers
from notifications import dispatch

TELL = (dispatch.NAME, subscribers.READER, solving.READER)
"""Readers of the history by whom something leaves; the others see to the house itself."""

SCHEMA_FILE = Path("schema.graphql")


async def migrate() -> None:
    async with house_here():
        print("The database is up to date.")


async def back_up(file: Path) -> None:
    settings = load_settings()
    async with database_here(settings) as db:
        files = files_of(settings.domain)
        made = await backup.back_up(db, open_keys(settings.domain), files, file)
        if made.revision == newest_revision():  # an older database has no audit to tell it to
            async with db.transaction() as session:
                told = {"backup": file.name}
                audit.note(session, AuditKind.EXPORTED, by=SYSTEM, at=await database_time(session), data=told)
    print(
        f"{file}: {made.rows['ticket']} tickets, {made.rows['item']} items of conversations, {made.files} files."
    )
    if made.missing and made.files:
        print(f"{len(made.missing)} files that the database knows were not in the folder.")
    print("Keep HEDDLE_SECRET_KEY (or the file secret_key) with it, in another place.")
    if made.missing and not made.files:
        raise WrongSetting(
            f"{file} holds none of the stored files: none of {len(made.missing)} is in "
            f"{settings.domain.files_url or settings.domain.data / 'files'}. "
            "Is HEDDLE_DATA (or HEDDLE_FILES_URL) that of the server?"
        )


async def restore(
    file: Path,
    *,
    any_key: Annotated[bool, Parameter(help="Though credentials and links in it are lost.")] = False,
) -> None:
    settings = load_settings()
    async with database_here(settings) as db:
        files = files_of(settings.domain)
        made = await backup.restore(db, open_keys(settings.domain), files, file, any_key=any_key)
    print(
        f"As of {made.made_at}: {made.rows['ticket']} tickets, {made.rows['item']} items, {made.files} files."
    )
    print("What waits to be sent is held: `heddle release` sends it, `heddle release --discard` gives it up.")


async def release(
    *,
    discard: Annotated[
        bool, Parameter(help="Give up what waited when the backup was made: it was sent since.")
    ] = False,
) -> None:
    async with house_here() as (house, _), house.db.transaction() as session:
        held = await installation.held_since(session)
        if held is None:
            print("Nothing is held.")
            return
        given_up = 0
        if discard:
            given_up = sum([await queue.discard(session, before=held) for queue in OUTWARD])
            await following.skip(session, until=held, only=TELL)
        await installation.release(session)
        for queue in OUTWARD:
            ring(session, queue.topic)
        await notices.wait_again(session)
    print(f"{given_up} given up. Heddle sends again." if discard else "Heddle sends again.")


async def seal_anew() -> None:
    async with house_here() as (house, _):
        try:
            async with house.db.transaction() as session:
                count = await resealing.reseal(session, house.keys)
        except InvalidToken:
            raise WrongSetting(
                "HEDDLE_SECRET_KEY does not open everything that is kept: `heddle doctor` says what."
            ) from None
    print(f"{count} sealed values are sealed with the first key.")


async def doctor() -> None:
    from api.commands.doctor import examine
    from api.commands.findings import Health

    settings, ill = load_settings(), False
    async with database_here(settings) as db:
        files = files_of(settings.domain)
        async for finding in examine(settings, db, open_keys(settings.domain), files):
            print(f"{finding.health.value} {finding.subject:<20} {finding.said}")
            ill = ill or finding.health is Health.ILL
    raise SystemExit(1 if ill else 0)


async def migration(message: str) -> None:
    async with database_here(load_settings()) as db:
        await bring_up_to_date(db)
        if not await differences(db):
            print("The database says what the models say: nothing to write.")
            return
        await write_migration(db, message)


def schema(*, check: bool = False) -> None:
    from api.schema import schema as built

    text = built.as_str() + "\n"
    if not check:
        SCHEMA_FILE.write_text(text)
    elif not SCHEMA_FILE.exists() or SCHEMA_FILE.read_text() != text:
        raise WrongSetting("schema.graphql is not what the code says: run ./run schema")
