"""Files of the people of the shop that wait to be sent: for a day, until a message takes them along."""

import mimetypes
import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Integer, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import Base, new_id, one_of
from domain.desk import scans
from domain.desk.files import Files
from domain.desk.messages import Attachment, Message
from domain.errors import InvalidInput, NotFound, Refused
from domain.languages import N_

LARGEST = 25 * 1024 * 1024
"""Bytes of one file, and of all files of a message: mail servers take little more."""
MOST = 10
"""Files of one message."""
MOST_WAITING = 50
KEPT_FOR = timedelta(days=1)
LONGEST_NAME = 200

_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}")
ANYTHING = "application/octet-stream"
MAGIC = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/gif": b"GIF8",
    "application/pdf": b"%PDF-",
}
"""What a file of such a type begins with."""
READ = 16
"""Bytes that tell the type."""


class TooManyFiles(Refused):
    code = "TOO_MANY_FILES"
    sentence = N_("Too many of your files wait to be sent: send some, or wait a day.")


class Upload(Base):
    __tablename__ = "upload"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    """That of the attachment it becomes."""
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), index=True)
    name: Mapped[str]
    mime: Mapped[str]
    bytes: Mapped[int] = mapped_column(Integer)
    file: Mapped[str]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    """None: its bytes are awaited, by a link, and are said to be so many."""


async def check_room(session: AsyncSession, agent_id: uuid.UUID) -> None:
    waiting = await session.scalar(
        select(func.count()).select_from(Upload).where(Upload.agent_id == agent_id)
    )
    if (waiting or 0) >= MOST_WAITING:
        raise TooManyFiles


def said_type(mime: str) -> str:
    """As a header may say it."""
    given = mime.partition(";")[0].strip().lower()
    return given if _TYPE.fullmatch(given) else ANYTHING


def type_of(name: str, given: str, begins: bytes) -> str:
    """What its first bytes say; otherwise what is said of it, unless these contradict."""
    if begins.startswith(b"RIFF") and begins[8:12] == b"WEBP":
        return "image/webp"
    for mime, magic in MAGIC.items():
        if begins.startswith(magic):
            return mime
    given = given.partition(";")[0].strip().lower()
    if given in ("", ANYTHING):
        given = mimetypes.guess_type(name)[0] or ANYTHING
    claims = given in MAGIC or given == "image/webp" or given.startswith(("multipart/", "message/"))
    return ANYTHING if claims or not _TYPE.fullmatch(given) else given


def plain_name(name: str) -> str:
    """As a file may be called: no folder, one line."""
    last = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    stem, dot, suffix = printable.rpartition(".")
    if len(printable) > LONGEST_NAME and dot and len(suffix) <= 10:
        return f"{stem[: LONGEST_NAME - len(suffix) - 1]}.{suffix}"
    return printable[:LONGEST_NAME] or "file"


async def attach(
    session: AsyncSession, message: Message, ids: Sequence[uuid.UUID], *, by: Actor, at_once: bool = False
) -> list[Attachment]:
    """Makes them the message's: one's own, and each once. The delete decides between two who send the same. `at_once`: nobody
    carries it who could wait until its files are looked through."""
    if not ids:
        return []
    if len(ids) > MOST:
        raise InvalidInput(N_("At most {most} files."), field=["attachmentIds"], most=MOST)
    taken = await session.scalars(
        delete(Upload)
        .where(one_of(Upload.id, ids), Upload.agent_id == by.agent_id, Upload.finished_at.is_not(None))
        .returning(Upload)
    )
    by_id = {upload.id: upload for upload in taken}
    if len(by_id) != len(set(ids)) or len(ids) != len(set(ids)):
        raise NotFound(field=["attachmentIds"])
    if sum(upload.bytes for upload in by_id.values()) > LARGEST:
        raise InvalidInput(
            N_("All files of a message together have at most {most} MB."),
            field=["attachmentIds"],
            most=LARGEST // 1024 // 1024,
        )
    await scans.check_sendable(
        session, {upload.file: upload.name for upload in by_id.values()}, at_once=at_once
    )
    attachments = [
        Attachment(
            id=id,
            item_id=message.id,
            name=by_id[id].name,
            mime=by_id[id].mime,
            bytes=by_id[id].bytes,
            file=by_id[id].file,
        )
        for id in ids
    ]
    session.add_all(attachments)
    return attachments


async def give_back(session: AsyncSession, message: Message, *, at: datetime) -> list[uuid.UUID]:
    """Those of a message that was taken back wait again, under the same ids, for its writer to send them."""
    theirs = await session.scalars(
        select(Attachment).where(Attachment.item_id == message.id).order_by(Attachment.id)
    )
    ids = []
    for one in theirs.all():
        if one.file is None or message.agent_id is None:
            continue
        session.add(
            Upload(
                id=one.id,
                agent_id=message.agent_id,
                name=one.name,
                mime=one.mime,
                bytes=one.bytes,
                file=one.file,
                created_at=at,
                finished_at=at,
            )
        )
        await session.delete(one)
        ids.append(one.id)
    return ids


async def sweep(session: AsyncSession, files: Files, *, at: datetime) -> int:
    """The bytes first: should this transaction fail, the rows still say that something is to be done."""
    waited = select(Upload).where(Upload.created_at < at - KEPT_FOR).with_for_update(skip_locked=True)
    old = (await session.scalars(waited)).all()
    for upload in old:
        await files.delete(upload.file)
        await session.delete(upload)
    await scans.forget(session, [upload.file for upload in old])
    return len(old)
