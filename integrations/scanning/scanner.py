"""Has each stored file looked through, before anybody gets it."""

import structlog

from domain.db import Database, database_time
from domain.desk import scans
from domain.desk.files import Files
from domain.desk.scans import SCANS, Scan
from domain.hands import work
from domain.work import Lease, TryLater
from integrations.scanning.clamd import ScannerDown, TooLarge, look_through

log = structlog.get_logger()

HANDS = 2
AGAIN = 15.0
"""Seconds until a scanner that was down is asked again: people wait."""


class Scanner:
    def __init__(self, db: Database, files: Files, url: str | None, *, required: bool) -> None:
        self._db, self._files, self._url, self._required = db, files, url, required

    async def run(self) -> None:
        async with self._db.transaction() as session:
            await scans.begin(session, scanned=self._url is not None)
        if self._url:
            await work(self._db, SCANS, self.scan, hands=HANDS)

    async def scan(self, scan: Scan, lease: Lease[Scan]) -> None:
        assert self._url
        try:
            infection = await look_through(self._url, self._files.parts(scan.file))
        except FileNotFoundError:  # it went while it waited
            async with self._db.transaction() as session:
                await scans.forget(session, [scan.file])
            return
        except TooLarge as failure:
            await self._unseen(scan)
            async with self._db.transaction() as session:
                await lease.give_up(session, error=str(failure))
            return
        except ScannerDown as failure:
            await self._unseen(scan)
            raise TryLater(str(failure), after=AGAIN) from failure
        async with self._db.transaction() as session:
            now = await database_time(session)
            seen = await lease.settle(session, scanned_at=now, infection=infection, last_error=None)
            await scans.told(session, seen, at=now)
        if infection:
            log.warning("file_infected", key=scan.file, infection=infection)

    async def _unseen(self, scan: Scan) -> None:
        """Where it need not be looked through, it is let out."""
        if self._required or scan.opened_at:
            return
        async with self._db.transaction() as session:
            now = await database_time(session)
            opened = await scans.let_out(session, scan.id, at=now)
            await scans.told(session, opened, at=now)
