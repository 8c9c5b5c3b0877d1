"""Files that come by a link: asked for, laid there by whoever has the link, and taken over when they are whole.

Until then nothing can be done with them. What was taken over lies where the link does not lead: whoever still has it
cannot change what was looked through.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.answering.uploads import LARGEST, READ, Upload, check_room, plain_name, said_type, type_of
from domain.db import new_id
from domain.desk import scans
from domain.desk.files import AWAITED, Files, new_key
from domain.errors import InvalidInput, Refused
from domain.languages import N_


class NotWhole(Refused):
    code = "UPLOAD_NOT_WHOLE"
    sentence = N_("Of {expected} bytes, {found} have arrived: send the file again.")


@dataclass(frozen=True)
class Settled:
    """What came by a link, looked at, where no link leads."""

    awaited: str
    file: str
    mime: str


async def begin(
    session: AsyncSession, *, name: str, mime: str, bytes: int, by: Actor, at: datetime
) -> Upload:
    """A file whose bytes come by a link."""
    if not 0 < bytes <= LARGEST:
        raise InvalidInput(
            N_("A file has 1 byte to {most} MB."), field=["bytes"], most=LARGEST // 1024 // 1024
        )
    assert by.agent_id
    await check_room(session, by.agent_id)
    upload = Upload(
        id=new_id(),
        agent_id=by.agent_id,
        name=plain_name(name),
        mime=said_type(mime),
        bytes=bytes,
        file=new_key(AWAITED),
        created_at=at,
    )
    session.add(upload)
    await session.flush()
    return upload


async def arrived(session: AsyncSession, id: uuid.UUID, *, file: str) -> str | None:
    """Its bytes lie there now; whichever came last counts, until it is finished. Where they lay before, or none: too late."""
    upload = await session.get(Upload, id, with_for_update=True)
    if upload is None or upload.finished_at:
        return None
    before, upload.file = upload.file, file
    return before


async def settle(files: Files, upload: Upload) -> Settled:
    """Outside of any transaction: the bytes may lie far away."""
    found = await files.size(upload.file) or 0
    if found != upload.bytes:
        raise NotWhole(field=["id"], expected=upload.bytes, found=found)
    file = await files.settled(upload.file)
    return Settled(upload.file, file, type_of(upload.name, upload.mime, await files.begins(file, READ)))


async def finish(
    session: AsyncSession, files: Files, id: uuid.UUID, settled: Settled, *, by: Actor, at: datetime
) -> None:
    """It can be sent from now on; nothing happens where somebody was quicker."""
    is_awaited = (Upload.file == settled.awaited, Upload.finished_at.is_(None))
    done = await session.scalars(
        update(Upload)
        .where(Upload.id == id, Upload.agent_id == by.agent_id, *is_awaited)
        .values(file=settled.file, mime=settled.mime, finished_at=at)
        .returning(Upload.id),
        execution_options={"synchronize_session": False},
    )
    if done.one_or_none():
        await scans.ask(session, files, [settled.file])
