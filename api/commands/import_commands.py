"""What is typed to bring along what a shop has already: `heddle import contacts`, `agents`, `mail`."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.commands.columns import print_table
from api.importing.rows import takes
from api.running import house_here
from domain import audit
from domain.actors import SYSTEM
from domain.audit import AuditKind
from domain.db import database_time
from domain.importing import sheets
from domain.importing.imports import AT_ONCE, Outcome, own_columns, take_all
from domain.importing.mails import HERE
from domain.importing.sheets import ImportKind
from domain.settings import WrongSetting
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.archived import SERVER_FAILS, Archivist, Found, in_files, on_server
from integrations.mail.mailbox import Mailbox

imports = App(name="import")

DryRun = Annotated[bool, Parameter(help="Says what would become of each row or mail, and keeps nothing.")]
KEPT_NOTHING = " Nothing was kept: a dry run."


@imports.command
async def contacts(file: Path, *, dry_run: DryRun = False) -> None:
    """Takes over customers from a CSV file: see docs/importing.md for its columns."""
    await _take_over(file, ImportKind.CONTACTS, dry_run=dry_run)


@imports.command
async def agents(
    file: Path,
    *,
    dry_run: DryRun = False,
    invite: Annotated[bool, Parameter(help="Mails each new one a link to choose a password.")] = True,
) -> None:
    """Takes over the people of the shop from a CSV file: see docs/importing.md for its columns."""
    await _take_over(file, ImportKind.AGENTS, dry_run=dry_run, inviting=invite)


@imports.command
async def mail(
    path: Annotated[
        Path | None, Parameter(help="An mbox file, a Maildir, or a folder of .eml files; or --folder.")
    ] = None,
    *,
    channel: Annotated[str, Parameter(help="The mailbox that the mails belong to, by its slug.")],
    folder: Annotated[str | None, Parameter(help="A folder on the mailbox's own IMAP server.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Brings along an older mailbox as history: closed tickets, without waking anyone. What is here already is left out."""
    if (path is None) == (folder is None):
        raise WrongSetting("Give either a path or --folder.")
    left_out: Counter[str] = Counter()
    brought = 0
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            box = await session.scalar(select(Channel).where(Channel.slug == channel))
            if box is None or box.kind != ChannelKind.EMAIL:
                raise WrongSetting(f"--channel {channel}: there is no mailbox of this name.")
            await _note(session, "mails", dry_run=dry_run)
        archivist = Archivist(house.db, house.files, box)
        found = on_server(Mailbox.of(box, house.keys), folder) if folder else _local(path or Path())
        try:
            async for one in found:
                if why := await archivist.bring(one, dry_run=dry_run):
                    left_out[why] += 1
                    if why != HERE:
                        print(f"{one.place}: {why}", file=sys.stderr)
                else:
                    brought += 1
        except OSError as failure:
            raise WrongSetting(f"{folder or path}: {failure.strerror}.") from None
        except SERVER_FAILS as failure:
            raise WrongSetting(f"{folder}: {failure}") from None
    if path and not brought and not left_out:
        raise WrongSetting(
            f"{path}: there is no mail in it; an mbox, a Maildir and a folder of .eml files are read."
        )
    told = (
        f"{brought} mails brought along, {left_out.total()} left out, {left_out[HERE]} of them here already."
    )
    print(told + (KEPT_NOTHING if dry_run else ""))


async def _note(session: AsyncSession, kind: str, *, dry_run: bool) -> None:
    """In the audit."""
    told = {"kind": kind, "dry_run": dry_run}
    audit.note(session, AuditKind.IMPORTED, by=SYSTEM, at=await database_time(session), data=told)


async def _local(path: Path) -> AsyncIterator[Found]:
    for one in in_files(path):
        yield one


async def _take_over(file: Path, kind: ImportKind, *, dry_run: bool, inviting: bool = True) -> None:
    try:
        raw = await asyncio.to_thread(file.read_bytes)
    except OSError as failure:
        raise WrongSetting(f"{file}: {failure.strerror}.") from None
    counted = dict.fromkeys(Outcome, 0)
    refused: list[tuple[str, str, str]] = []
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            sheet = sheets.read(raw, kind, await own_columns(session, kind))
            await _note(session, kind, dry_run=dry_run)
        take = takes(house, inviting=inviting)[kind]
        for place in range(0, len(sheet.lines), AT_ONCE):
            lines = sheet.lines[place : place + AT_ONCE]
            async with house.db.transaction() as session:
                now = await database_time(session)
                tally = await take_all(session, lines, take, dry_run=dry_run, by=SYSTEM, at=now)
            for outcome, count in tally.outcomes.items():
                counted[outcome] += count
            refused += [
                (f"line {one['line']}", one["column"] or "", one["sentence"].format(**one["values"]))
                for one in tally.problems
            ]
    print_table(refused)
    if sheet.unknown:
        print(f"Left out, for nobody knows these columns: {', '.join(sheet.unknown)}.")
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in counted.items())
    print(f"{told}, {len(refused)} refused." + (KEPT_NOTHING if dry_run else ""))
    if refused:
        raise SystemExit(1)
