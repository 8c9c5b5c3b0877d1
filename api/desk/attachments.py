"""What messages came with: files, the pictures that their HTML shows, the mail as it came, and what they answer."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import strawberry
from sqlalchemy import Select, select

from api.columns import Columns
from api.computed import computed
from api.context import Reading, by, nothing
from api.desk import files
from api.desk.replied import RepliedMessage, replied_to
from api.node import Node
from api.selection import Selection
from domain.actors import ActorKind
from domain.db import one_of_given
from domain.desk import messages
from domain.desk.originals import with_original
from domain.desk.scans import LET_OUT, Scan, ScanState, state_of
from domain.gathering import gathered
from domain.ids import public_id
from domain.languages import as_said
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
    row_id: strawberry.Private[uuid.UUID]
    item_id: strawberry.Private[uuid.UUID]
    file: strawberry.Private[str | None]
    content_id: strawberry.Private[str | None]
    due_at: strawberry.Private[datetime | None]
    trouble: strawberry.Private[str | None]
    let_out: strawberry.Private[bool]
    scanned_at: strawberry.Private[datetime | None]
    opened_at: strawberry.Private[datetime | None]
    scan_due_at: strawberry.Private[datetime | None]
    reading: strawberry.Private[Any]


@dataclass(frozen=True)
class Attached:
    """What messages came with, by the message's row."""

    attachments: dict[Any, list[Attachment]] = field(default_factory=dict)
    pictures: dict[Any, dict[str, str]] = field(default_factory=dict)
    originals: dict[Any, str] = field(default_factory=dict)
    replied: dict[Any, RepliedMessage] = field(default_factory=dict)


async def attached_to(reading: Reading, rows: Sequence[Any], selection: Selection) -> Attached:
    asks, shows = selection.below("attachments"), "html" in selection
    arrived = [row.id for row in rows if row.arrival_id] if "original" in selection else []
    asks_replied = rows if "repliesTo" in selection else ()
    answering = [row.id for row in asks_replied if "reply_to" in (row.particulars or {})]
    files_read, originals, replied = await gathered(
        _files(reading, [row.id for row in rows if asks or (shows and row.html)], asks, shows=shows),
        with_original(reading.connection, arrived) if arrived else nothing(),
        replied_to(reading, answering) if answering else nothing(),
    )
    found = by("item_id", files_read)
    return Attached(
        found if asks else {},
        {id: _pictures(reading, group) for id, group in found.items()} if shows else {},
        {id: files.original_link(reading.house, reading.actor, id) for id in originals},
        replied,
    )


async def _files(
    reading: Reading, item_ids: list[uuid.UUID], selection: Selection, *, shows: bool
) -> list[Attachment]:
    if not item_ids:
        return []
    query = _kept(COLUMNS.asked(Selection({**selection, "html": Selection()}) if shows else selection))
    found = await reading.connection.objects(Attachment, query, {"ids": item_ids})
    for attachment in found:
        attachment.reading = reading
    return found


_file = messages.Attachment
_let_out = LET_OUT.label("let_out")
COLUMNS = Columns(
    (_file.id.label("row_id"), _file.item_id),
    {
        "name": _file.name,
        "mime": _file.mime,
        "bytes": _file.bytes,
        "inline": _file.inline,
        "url": (_file.file, _let_out),
        "thumbUrl": (_file.file, _let_out, _file.mime, _file.bytes),
        "scan": (Scan.infection, Scan.scanned_at, Scan.opened_at, Scan.due_at.label("scan_due_at")),
        "infection": Scan.infection,
        "lost": (_file.last_error.label("trouble"), _file.file, _file.due_at),
        "html": (_file.inline, _file.content_id, _file.file, _let_out),
    },
)


@cache
def _kept(asked: frozenset[str]) -> Select[Any]:
    found = select(*COLUMNS.of(asked)).outerjoin(Scan, Scan.file == _file.file)
    return found.where(one_of_given(_file.item_id)).order_by(_file.id)


def _thumb_url(attachment: Attachment) -> str | None:
    shows = attachment.file and attachment.let_out and may_have_one(attachment.mime, attachment.bytes)
    reading = attachment.reading
    return files.preview_link(reading.house, reading.actor, attachment.row_id) if shows else None


computed(
    Attachment,
    id=lambda attachment: public_id("Attachment", attachment.row_id),
    url=lambda attachment: _link(attachment) if attachment.file and attachment.let_out else None,
    thumb_url=_thumb_url,
    scan=lambda attachment: state_of(attachment, due_at=attachment.scan_due_at),
    lost=lambda attachment: (
        as_said(attachment.reading.locale, attachment.trouble)
        if attachment.file is None and attachment.due_at is None
        else None
    ),
)


def _link(attachment: Attachment) -> str:
    return files.link(attachment.reading.house, attachment.reading.actor, attachment.row_id)


def _pictures(reading: Reading, attachments: list[Attachment]) -> dict[str, str]:
    """None for an integrator's token: links are made for agents."""
    if reading.actor.kind != ActorKind.AGENT:
        return {}
    return {
        one.content_id: _link(one)
        for one in attachments
        if one.inline and one.content_id and one.file and one.let_out
    }
