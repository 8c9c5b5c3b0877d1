"""What was erased, read again for who may demand it (a court, an authority): by the command line, for a reason, into a zip.
Nothing is put back. That it was read is in the audit before the first part is opened."""

import asyncio
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import audit
from domain.actors import SYSTEM, Role
from domain.agents.staff import Agent
from domain.audit import AuditKind
from domain.db import Database, database_time
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.keys import Keys
from domain.languages import N_
from domain.privacy.erasure import Erasure, opened_parts


class Destroyed(NotFound):
    code = "DESTROYED"
    sentence = N_("What was sealed has been destroyed: nobody can read it any more.")


@dataclass
class Unsealed:
    parts: int = 0
    entries: list[str] = field(default_factory=list)


async def unseal(
    db: Database, keys: Keys, contact_id: uuid.UUID, path: Path, *, admin: str, reason: str
) -> Unsealed:
    """`admin`: the address of the one whose word it is."""
    async with db.transaction() as session:
        erasure = await _noted(session, contact_id, admin=admin, reason=reason)
    found = Unsealed()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        await _write(archive, opened_parts(db, keys, erasure), found)
    return found


async def _noted(session: AsyncSession, contact_id: uuid.UUID, *, admin: str, reason: str) -> Erasure:
    if not reason.strip():
        raise InvalidInput(N_("Say why."), field=["reason"])
    who = await session.scalar(
        select(Agent).where(Agent.email == admin, Agent.role == Role.ADMIN, Agent.left_at.is_(None))
    )
    if who is None:
        raise NotAllowed(field=["admin"])
    erasure = await session.scalar(
        select(Erasure).where(Erasure.contact_id == contact_id, Erasure.confirmed_at.is_not(None))
    )
    if erasure is None:
        raise NotFound(field=["contact"])
    if erasure.wrapped_key is None:
        raise Destroyed(field=["contact"])
    audit.note(
        session,
        AuditKind.UNSEALED,
        by=SYSTEM,
        at=await database_time(session),
        agent_id=who.id,
        contact_id=contact_id,
        data={"erasure": str(erasure.id), "reason": reason.strip()},
    )
    return erasure


async def _write(archive: zipfile.ZipFile, parts: AsyncIterator[bytes], found: Unsealed) -> None:
    """Rows of a table as lines of JSON, stored files as they were. A table that comes again later is a further entry."""
    entry, now, seen = None, "", Counter[str]()
    async for sealed in parts:
        found.parts += 1
        head, _, content = zlib.decompress(sealed).partition(b"\n")
        said = orjson.loads(head)
        about = _entry(said)
        rows = "table" in said
        if about != now:
            if entry:
                entry.close()
            seen[about] += 1
            now, name = about, f"{about}.{seen[about]}.jsonl" if rows else about
            entry = archive.open(name, "w", force_zip64=True)
            found.entries.append(name)
        await asyncio.to_thread(entry.write, content + b"\n" if rows else content)  # type: ignore[union-attr]
    if entry:
        entry.close()


def _entry(said: dict[str, str]) -> str:
    match said:
        case {"table": table}:
            return f"rows/{table}"
        case {"original": id}:
            return f"originals/{id}"
        case _:
            return f"files/{said['file']}"
