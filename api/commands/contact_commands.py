"""What is typed about one customer: `heddle contact export`, `erase`, `unseal`; and how long things are kept."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from api.running import house_here
from domain import access, audit, shop
from domain.actors import SYSTEM
from domain.audit import AuditKind
from domain.customers.contacts import Contact, Identity, phone_number
from domain.customers.mailboxes import mail_address
from domain.db import database_time
from domain.errors import NotFound
from domain.ids import public_id, typed
from domain.joining import moves
from domain.privacy import dossier, erasure, erasure_plan, retention
from domain.privacy.erasure import Erasure
from domain.privacy.retention import Retention
from domain.privacy.sealing import Sealer
from domain.privacy.unsealing import unseal as opened
from domain.settings import WrongSetting
from domain.ways_in.channels import Channel

contact = App(name="contact")

Who = Annotated[str, Parameter(help="The contact's id, or an address or number that only one contact has.")]


@contact.command
async def export(who: Who, file: Path) -> None:
    """Writes all that is held about a customer into one zip, for that customer."""
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            found = await _found(session, who)
            audit.note(
                session,
                AuditKind.EXPORTED,
                by=SYSTEM,
                at=await database_time(session),
                contact_id=found.id,
                data={"file": file.name},
            )
        with _private(file), file.open("wb") as out:
            await dossier.write(house.db, house.files, found.id, out)
    print(f"{file}: all that is held about {public_id('Contact', found.id)}.")


@contact.command
async def erase(
    who: Who, *, confirm: Annotated[bool, Parameter(help="Do it. There is no way back.")] = False
) -> None:
    """Says what an erasure would take and what it would leave; with --confirm takes it."""
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            if confirm:
                await moves.hold(session)  # before any row, as whoever makes contacts one
            found = await _found(session, who)
            days, two = await shop.erasing(session)
            plan = await erasure_plan.plan(await session.connection(), found.id)
            if confirm:
                await _confirmed(session, house, found, days=days, two=two)
        if confirm:
            await _sealed(house, found.id)
    _say(plan, done=confirm)
    print(f"It is kept sealed for {days} days, and then destroyed." if days else "Nothing of it is kept.")
    if not confirm:
        print("Nothing was done. To do it: --confirm.")


def _say(plan: erasure_plan.Plan, *, done: bool) -> None:
    print("Taken:" if done else "Would be taken:")
    for share in plan.taken:
        print(f"  {share.count:>7}  {share.sentence}")
    print("Kept:")
    for share in plan.kept:
        print(f"  {'' if share.count is None else share.count:>7}  {share.sentence}")
    if plan.open_tickets:
        print(f"Open tickets, which are closed first: {plan.open_tickets}.")


async def _confirmed(session: AsyncSession, house: House, found: Contact, *, days: int, two: bool) -> None:
    now = await database_time(session)
    asked = await erasure.ask(session, found, by=SYSTEM, at=now)
    await asked.confirm(session, house.keys, by=SYSTEM, at=now, days=days, takes_two=two)
    told = {"confirm": "True"}
    audit.note(session, AuditKind.ERASURE_ASKED, by=SYSTEM, at=now, contact_id=found.id, data=told)


async def _sealed(house: House, contact_id: uuid.UUID) -> None:
    """Done by us, or by a worker that was quicker."""
    working = asyncio.create_task(Sealer(house.db, house.keys, house.files).run())
    done = select(Erasure.id).where(Erasure.contact_id == contact_id, Erasure.sealed_at.is_not(None))
    try:
        while not working.done():
            async with house.db.reading() as connection:
                if await connection.scalar(done):
                    return
            await asyncio.sleep(0.2)
        await working
    finally:
        working.cancel()


@contact.command
async def unseal(
    id: Annotated[str, Parameter(help="The contact's id.")],
    file: Path,
    *,
    admin: Annotated[str, Parameter(help="The address of the admin whose word it is.")],
    reason: Annotated[str, Parameter(help="Why, such as a court's file number. Do not name the person.")],
) -> None:
    """Writes what was erased of a customer into one zip, for who may demand it. Nothing is put back."""
    named = typed(id)
    if not named or named[0] != "Contact":
        raise WrongSetting(f"{id!r} is no contact's id.")
    async with house_here() as (house, _):
        with _private(file):
            found = await opened(house.db, house.keys, named[1], file, admin=admin, reason=reason)
    print(
        f"{file}: {found.parts} sealed parts in {len(found.entries)} files. The audit says who read them and why."
    )


@contextmanager
def _private(file: Path) -> Iterator[None]:
    """A new file that only its owner reads; none if it cannot be written whole."""
    try:
        file.touch(mode=0o600, exist_ok=False)
    except OSError as failure:
        raise WrongSetting(f"{file} cannot be written: {failure.strerror}.") from None
    try:
        yield
    except BaseException:
        file.unlink()
        raise


async def _found(session: AsyncSession, who: str) -> Contact:
    named = typed(who)
    if named and named[0] == "Contact":
        ids = [named[1]]
    else:
        spelt = (who.strip(), mail_address(who), phone_number(who, region=None))
        value = func.lower(Identity.value).in_({one.lower() for one in spelt if one})
        survivor = select(func.coalesce(Contact.canonical_id, Contact.id)).distinct()
        found = await session.scalars(survivor.join(Identity, Identity.contact_id == Contact.id).where(value))
        ids = list(found)
    if len(ids) > 1:
        known = ", ".join(public_id("Contact", id) for id in ids)
        raise WrongSetting(f"{who} belongs to several contacts: {known}. Give the id of one.")
    try:
        return await access.contact(session, ids[0], to=SYSTEM)
    except (IndexError, NotFound):
        raise WrongSetting(f"Nobody is known as {who!r}.") from None


@contact.command(name="retention")
async def keeps(
    *, apply: Annotated[bool, Parameter(help="Now; otherwise within six hours.")] = False
) -> None:
    """Says for each channel how long originals and texts are kept, and what is older."""
    async with house_here() as (house, _):
        async with house.db.reading() as connection:
            rows = (
                await connection.execute(
                    select(Channel.slug, Retention.__table__)
                    .join(Retention, Retention.channel_id == Channel.id)
                    .order_by(Channel.slug)
                )
            ).all()
            for row in rows:
                due = await retention.due(
                    connection,
                    row.channel_id,
                    originals_days=row.originals_days,
                    texts_days=row.texts_days,
                    at=await database_time(connection),
                )
                print(
                    f"{row.slug}: originals {_days(row.originals_days)}, {due.originals} are older; "
                    f"texts {_days(row.texts_days)}, {due.texts} are older."
                )
        if not rows:
            print("Every channel keeps everything.")
        if apply:
            await retention.apply(house.db, house.files)
            print("What was older is gone.")


def _days(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"
