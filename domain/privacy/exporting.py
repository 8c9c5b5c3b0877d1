"""Makes the zips that were asked for. What is in one: `domain/privacy/dossier.py`."""

import structlog

from domain.db import Database, database_time
from domain.desk.files import Files
from domain.hands import work
from domain.privacy import dossier
from domain.privacy.exports import EXPORTS, ContactExport
from domain.work import Lease

log = structlog.get_logger()


class Exporter:
    def __init__(self, db: Database, files: Files) -> None:
        self._db, self._files = db, files

    async def run(self) -> None:
        await work(self._db, EXPORTS, self.make)

    async def make(self, asked: ContactExport, lease: Lease[ContactExport]) -> None:
        if asked.file is None:  # the person was erased before it was begun
            async with self._db.transaction() as session:
                await lease.give_up(session, error=None)
            return
        # Straight to where it will lie: whoever dies here leaves nothing that the row does not name.
        async with self._files.writing(asked.file) as out:
            await dossier.write(self._db, self._files, asked.contact_id, out)
            size = out.tell()
        async with self._db.transaction() as session:
            done = await lease.settle(
                session, bytes=size, finished_at=await database_time(session), last_error=None
            )
        if done.file is None:  # or while it was made
            await self._files.delete(asked.file)
        log.info("contact_exported", export=str(asked.id))
