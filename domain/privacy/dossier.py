"""The zip that tells a person what is held about them, written a page of rows and a piece of a file at a time.

`person.json` has a list for each table that holds something of theirs (`domain/privacy/holdings.py`), then what happened, who read
it, and which channels and people of the shop the ids mean. `attachments/` and `originals/` are the bytes that came.
`docs/privacy.md` describes it.
"""

import asyncio
import re
import uuid
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, BinaryIO

import orjson
import structlog
from sqlalchemy import ColumnElement, Row, Table, func, select

from domain.agents.staff import Agent
from domain.arriving.inbound import Arrival
from domain.audit import AuditEntry
from domain.customers.survivors import same_person
from domain.db import Database, database_time, one_of
from domain.desk.files import Files
from domain.desk.messages import Attachment
from domain.desk.threads import Thread
from domain.events import Event
from domain.joining import reasons
from domain.privacy import batches
from domain.privacy.holdings import HOLDINGS, Holding
from domain.ways_in.channels import Channel, ChannelKind

log = structlog.get_logger()

FORMAT = 1
PAGE = 200
PIECE = 4 << 20
"""Bytes of an original that are read at once."""

LISTS = {
    "contact": "contacts", "thread": "threads", "identity": "identities", "ticket": "tickets", "task": "tasks",
    "item": "items", "attachment": "attachments", "arrival": "originals", "alert_note": "alertNotes",
    "contact_note": "notes", "participant": "participants", "visitor": "visitors", "draft": "drafts",
    "survey_request": "feedback", "complaint": "complaints", "complaint_step": "complaintSteps",
}  # fmt: skip
"""What the rows of a table are called here; another table keeps its own name."""

BY_AGENTS = ("agentId", "assigneeId", "createdById", "joinedById", "actorId", "ownerId", "byId")

_event, _entry = Event.__table__.c, AuditEntry.__table__.c
HISTORY = (
    _event.seq, _event.at, _event.kind, _event.actor_kind, _event.actor_id, _event.ticket_id, _event.thread_id,
    _event.item_id, _event.task_id, _event.data,
)  # fmt: skip
READ_BY = (_entry.seq, _entry.at, _entry.kind, _entry.actor_kind, _entry.actor_id)


async def write(db: Database, files: Files, contact_id: uuid.UUID, out: BinaryIO) -> None:
    """In many short transactions: a long one would hold back the feed. What comes meanwhile may be in it or not."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("person.json", "w", force_zip64=True) as entry:
            async for said in _Person(db, contact_id).told():
                await asyncio.to_thread(entry.write, said)
        originals, attachments = _holding(Arrival), _holding(Attachment)
        async with db.reading() as connection:
            psids = await batches.psids_of(connection, contact_id)
        async for rows in _pages(db, originals, contact_id, ["id"], PAGE):
            for row in rows:
                await _write_original(db, archive, row.id, psids)
        async for rows in _pages(db, attachments, contact_id, ["id", "name", "file"], PAGE):
            for row in rows:
                await _write_attachment(files, archive, row)


def _holding(model: type[Any]) -> Holding:
    (found,) = (holding for holding in HOLDINGS if holding.model is model)
    return found


async def _write_original(db: Database, archive: zipfile.ZipFile, id: uuid.UUID, psids: set[str]) -> None:
    one = select(func.length(Arrival.raw).label("bytes"), Channel.kind)
    async with db.reading() as connection:
        found = await connection.execute(
            one.join(Channel, Channel.id == Arrival.channel_id).where(Arrival.id == id)
        )
        row = found.one()
    if not row.bytes:
        return
    if row.kind == ChannelKind.MESSENGER:
        async with db.reading() as connection:
            raw = (await connection.execute(select(Arrival.raw).where(Arrival.id == id))).scalar_one()
        theirs, _ = batches.parted(raw, psids)
        if theirs:
            archive.writestr(original(id, row.kind), theirs)
        return
    with archive.open(original(id, row.kind), "w", force_zip64=True) as entry:
        for begin in range(1, row.bytes + 1, PIECE):
            piece = select(func.substring(Arrival.raw, begin, PIECE)).where(Arrival.id == id)
            async with db.reading() as connection:
                await asyncio.to_thread(entry.write, (await connection.execute(piece)).scalar_one())


def original(id: uuid.UUID, kind: ChannelKind) -> str:
    return f"originals/{id}.{'eml' if kind == ChannelKind.EMAIL else 'json'}"


async def _write_attachment(files: Files, archive: zipfile.ZipFile, row: Row[Any]) -> None:
    if row.file is None:
        return
    try:
        with archive.open(attachment(row.id, row.name), "w", force_zip64=True) as entry:
            async for part in files.parts(row.file):
                await asyncio.to_thread(entry.write, part)
    except FileNotFoundError:
        log.warning("file_missing", key=row.file)


def attachment(id: uuid.UUID, name: str) -> str:
    """The sender chose the name: letters and digits of it, so that no archiver is led out of the folder."""
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    plain = re.sub(r"[^\w-]+", "_", stem)[:60].strip("_") + re.sub(r"[^\w.]+", "", suffix)[:10]
    return f"attachments/{id}-{plain}"


class _Person:
    """`person.json`, piece by piece."""

    def __init__(self, db: Database, contact_id: uuid.UUID) -> None:
        self._db, self._id = db, contact_id
        self._agents: set[uuid.UUID] = set()
        self._channels: set[uuid.UUID] = set()

    async def told(self) -> AsyncIterator[bytes]:
        async with self._db.reading() as connection:
            head = {"format": FORMAT, "madeAt": await database_time(connection), "contactId": self._id}
        yield _json(head)[:-1]
        for holding in HOLDINGS:
            if holding.exported:
                name = LISTS.get(holding.table.name, holding.table.name)
                async for said in self._list(name, self._held(holding)):
                    yield said
        history = self._in_order(HISTORY, same_person(_event.contact_id, self._id))
        reads = self._in_order(READ_BY, same_person(_entry.contact_id, self._id))
        for name, pages in (("history", history), ("readBy", reads)):
            async for said in self._list(name, pages):
                yield said
        channels = await self._named(Channel.__table__, self._channels, "kind", "name")
        agents = await self._named(Agent.__table__, self._agents, "name")
        yield b",\n" + _json({"channels": channels, "agents": agents})[1:] + b"\n"

    async def _list(self, name: str, pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
        yield b",\n" + orjson.dumps(name) + b":["
        between = b"\n"
        async for rows in pages:
            for row in rows:
                self._agents |= {row[name] for name in BY_AGENTS if row.get(name)}
                self._channels |= {row["channelId"]} if row.get("channelId") else set()
            yield between + b",\n".join(map(_json, rows))
            between = b",\n"
        yield b"]"

    async def _held(self, holding: Holding) -> AsyncIterator[list[dict[str, Any]]]:
        names = holding.columns()
        extra = ["file"] if holding.stored else []
        async for rows in _pages(self._db, holding, self._id, names + extra, PAGE):
            shown = [_shown({name: getattr(row, name) for name in names}) for row in rows]
            for row, one in zip(rows, shown, strict=True):
                if holding.model is Thread:  # why it was joined, in the words of the screen
                    one["joinedBecause"] = reasons.sentence(row.joined_code, "en")
                elif holding.model is Attachment:
                    one["path"] = attachment(row.id, row.name) if row.file else None
            yield shown

    async def _in_order(
        self, columns: Sequence[ColumnElement[Any]], theirs: ColumnElement[bool]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        after, seq = 0, columns[0]
        while True:
            query = select(*columns).where(theirs, seq > after).order_by(seq).limit(PAGE)
            async with self._db.reading() as connection:
                rows = (await connection.execute(query)).all()
            if not rows:
                return
            after = rows[-1].seq
            yield [_shown(row._mapping) for row in rows]

    async def _named(self, table: Any, ids: set[uuid.UUID], *names: str) -> list[dict[str, Any]]:
        columns = [table.c[name] for name in ("id", *names)]
        async with self._db.reading() as connection:
            rows = await connection.execute(select(*columns).where(one_of(table.c.id, ids)))
        return [_shown(row._mapping) for row in rows]


async def _pages(
    db: Database, holding: Holding, contact_id: uuid.UUID, names: list[str], limit: int
) -> AsyncIterator[Sequence[Row[Any]]]:
    table: Table = holding.table
    after = uuid.UUID(int=0)
    while True:
        query = select(*(table.c[name] for name in dict.fromkeys(["id", *names])))
        following = query.where(holding.theirs(contact_id), table.c.id > after).order_by(table.c.id)
        async with db.reading() as connection:
            rows = (await connection.execute(following.limit(limit))).all()
        if not rows:
            return
        after = rows[-1].id
        yield rows


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=str)  # the driver has a UUID of its own


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    """As GraphQL spells it: `joined_at` is `joinedAt`."""
    return {re.sub("_(.)", lambda found: found[1].upper(), str(name)): value for name, value in row.items()}
