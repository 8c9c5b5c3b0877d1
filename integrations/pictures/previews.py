"""Small pictures of stored photos: drawn when somebody first asks, kept beside the photo, gone with it."""

import asyncio
import atexit
import uuid

import structlog
from sqlalchemy import select

from domain.db import Database
from domain.desk.files import Files, preview_of
from domain.desk.messages import Attachment
from integrations.children import Children, Died, Limits
from integrations.serving import SHOWN

log = structlog.get_logger()

MIME = "image/webp"
LARGEST = 25 * 1024 * 1024
"""Bytes of a photo."""
AT_ONCE = 2

CHILDREN = Children("integrations.pictures.drawing", AT_ONCE, Limits(cpu=5, memory=768 * 1024 * 1024))
atexit.register(CHILDREN.close)


def may_have_one(mime: str, size: int) -> bool:
    return mime in SHOWN and size <= LARGEST


class Previews:
    def __init__(self, db: Database, files: Files) -> None:
        self._db, self._files = db, files
        self._places = asyncio.Semaphore(AT_ONCE)

    async def of(self, attachment_id: uuid.UUID, file: str) -> bytes | None:
        """None: there is nothing to be seen in it."""
        found = await self._kept(file)
        if found is None:
            async with self._places:
                found = await self._kept(file)
                if found is None:
                    found = await self._drawn(attachment_id, file)
        return found or None

    async def _kept(self, file: str) -> bytes | None:
        """Empty, where one was tried in vain."""
        try:
            return await self._files.get(preview_of(file))
        except FileNotFoundError:
            return None

    async def _drawn(self, attachment_id: uuid.UUID, file: str) -> bytes:
        try:
            photo = await self._files.get(file)
        except FileNotFoundError:
            return b""
        try:
            preview = await asyncio.to_thread(CHILDREN.ask, photo)
        except Died as death:
            log.warning("preview_failed", id=str(attachment_id), error=str(death))
            if not death.by_question:
                return b""
            preview = b""
        async with self._db.transaction() as session:
            # Whoever takes the photo away holds this row: nothing of it may be laid there afterwards.
            still = (
                select(Attachment.file).where(Attachment.id == attachment_id).with_for_update(key_share=True)
            )
            if await session.scalar(still) != file:
                return b""
            await self._files.keep(preview_of(file), preview)
        return preview
