"""What messages came with: files, the pictures that their HTML shows, and the mail as it came."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry
from sqlalchemy import select

from api.context import Reading, by, nothing, plain
from api.desk import files
from api.node import Node
from api.selection import Selection
from domain.actors import ActorKind
from domain.db import one_of_given
from domain.desk import messages
from domain.desk.originals import with_original
from domain.desk.scans import LET_OUT, Scan, ScanState, state_of
from domain.ids import public_id
from integrations.pictures.previews import may_have_one

strawberry.enum(
    ScanState,
    name="FileScan",
    description="Whether a file was looked through for what is harmful. UNSCANNED: nobody does here, or nobody could.",
)

LINKS = frozenset({"url", "thumbUrl", "html", "original"})
"""The fields that hold links, which are signed for whom they are shown to."""


@strawberry.type
class Attachment(Node):
    name: str
    mime: str
    bytes: int
    inline: bool = strawberry.field(description="Shown within the HTML.")
    url: str | None = strawberry.field(
        description="A link for this person that lives ten minutes; none while the file is still being fetched or looked through, "
        "nor for an infected one."
    )
    thumb_url: str | None = strawberry.field(
        description="A small picture of a photo (JPEG, PNG, GIF, WebP), by a link as `url`; none of anything else. It is drawn when it "
        "is first fetched: of a broken photo the answer is 404."
    )
    scan: ScanState
    infection: str | None = strawberry.field(description="What was found in it, as the scanner calls that.")
    lost: str | None = strawberry.field(
        description="Why the file is not here, and will not come: the customer has to send it again."
    )


@dataclass(frozen=True)
class Attached:
    """What messages came with, by the message's row."""

    attachments: dict[Any, list[Attachment]] = field(default_factory=dict)
    pictures: dict[Any, dict[str, str]] = field(default_factory=dict)
    originals: dict[Any, str] = field(default_factory=dict)


async def attached_to(reading: Reading, rows: Sequence[Any], selection: Selection) -> Attached:
    asks, shows = "attachments" in selection, "html" in selection
    arrived = [row.id for row in rows if row.arrival_id] if "original" in selection else []
    files_read, originals = await asyncio.gather(
        _files(reading, [row.id for row in rows if asks or (shows and row.html)]),
        with_original(reading.connection, arrived) if arrived else nothing(),
    )
    found = by("item_id", files_read)
    return Attached(
        {id: [_shown(reading, row) for row in group] for id, group in found.items()} if asks else {},
        {id: _pictures(reading, group) for id, group in found.items()} if shows else {},
        {id: files.original_link(reading.house, reading.actor, id) for id in originals},
    )


async def _files(reading: Reading, item_ids: list[uuid.UUID]) -> Sequence[Any]:
    if not item_ids:
        return []
    rows = await reading.connection.execute(_kept, {"ids": item_ids})
    return rows.all()


_file = messages.Attachment
_kept = (
    select(
        _file.id,
        _file.item_id,
        _file.name,
        _file.mime,
        _file.bytes,
        _file.file,
        _file.inline,
        _file.content_id,
        _file.due_at,
        _file.last_error,
        Scan.infection,
        Scan.scanned_at,
        Scan.opened_at,
        Scan.due_at.label("scan_due_at"),
        LET_OUT.label("let_out"),
    )
    .outerjoin(Scan, Scan.file == _file.file)
    .where(one_of_given(_file.item_id))
    .order_by(_file.id)
)


def _shown(reading: Reading, row: Any) -> Attachment:
    has_link = row.file and row.let_out
    return plain(
        Attachment,
        {
            "id": public_id("Attachment", row.id),
            "name": row.name,
            "mime": row.mime,
            "bytes": row.bytes,
            "inline": row.inline,
            "url": files.link(reading.house, reading.actor, row.id) if has_link else None,
            "thumb_url": files.preview_link(reading.house, reading.actor, row.id)
            if has_link and may_have_one(row.mime, row.bytes)
            else None,
            "scan": state_of(row, due_at=row.scan_due_at),
            "infection": row.infection,
            "lost": row.last_error if row.file is None and row.due_at is None else None,
        },
    )


def _pictures(reading: Reading, rows: list[Any]) -> dict[str, str]:
    """None for an integrator's token: links are made for agents."""
    if reading.actor.kind != ActorKind.AGENT:
        return {}
    return {
        row.content_id: files.link(reading.house, reading.actor, row.id)
        for row in rows
        if row.inline and row.content_id and row.file and row.let_out
    }
