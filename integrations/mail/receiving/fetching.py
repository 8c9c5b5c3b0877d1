"""Fetches the mailboxes that are set up to be: each in a thread of its own, as long as nobody else holds it.

Every mail is kept as it is and committed with the cursor, before anybody reads it. IDLE says that something came; after
each wait, at least once a minute, the box is searched, whatever IDLE said.
"""

import asyncio
import random
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Never

import orjson
import structlog
from cryptography.fernet import InvalidToken
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from domain import fetching
from domain.channels import TOPIC, Channel, ChannelKind
from domain.db import Database, database_time, heard
from domain.fetching import BoxLost
from domain.keys import Keys
from integrations.mail import oauth
from integrations.mail.mailbox import Mailbox
from integrations.mail.reading.parse import LARGEST_MAIL
from integrations.mail.receiving.collecting import Collector, UnderWay
from integrations.mail.receiving.hand import Hand
from integrations.mail.receiving.imap import READ, BoxFailed, ImapBox, SignInRefused

log = structlog.get_logger()

PURPOSE = "mailbox-settings"
FIRST_WAIT = 1.0
"""Seconds, after something came."""


@dataclass(frozen=True)
class Pace:
    """In seconds, but for the lease."""

    recheck: float = 60.0
    """After which a box is searched though nothing was heard of it."""
    read: float = READ
    lease: timedelta = fetching.LEASE
    """For which a box stays with who has fallen silent."""
    again: float = 2.0
    """From the first failure to the next try; then twice as long each time, up to `longest`."""
    longest: float = 120.0
    refused: float = 300.0
    """From a refused sign-in to the next: whoever tries faster locks the account."""
    look: float = 5.0
    """From one look at the channels to the next."""


class Fetcher:
    def __init__(
        self, db: Database, keys: Keys, pace: Pace | None = None, *, largest: int = LARGEST_MAIL
    ) -> None:
        self.db = db
        self.keys = keys
        self.pace = pace or Pace()
        self.largest = largest
        self.me = uuid.uuid4()
        self._rounds: dict[uuid.UUID, tuple[_Round, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        with self.db.bell.listening(TOPIC) as changed:
            try:
                while True:
                    changed.clear()
                    try:
                        await self._see_to(await self._wanted())
                    except (SQLAlchemyError, OSError) as failure:
                        log.warning("fetching_waits_for_database", error=type(failure).__name__)
                    await heard(changed, self.pace.look)
            finally:
                await self._end(list(self._rounds))

    async def _wanted(self) -> dict[uuid.UUID, tuple[Channel, Mailbox]]:
        fetched = Channel.config["imap_url"].astext.is_not(None)
        async with self.db.transaction() as session:
            channels = list(
                await session.scalars(
                    select(Channel).where(
                        Channel.kind == ChannelKind.EMAIL, Channel.disabled_at.is_(None), fetched
                    )
                )
            )
            await fetching.forget_others(session, [channel.id for channel in channels])
        wanted = {}
        for channel in channels:
            try:
                wanted[channel.id] = channel, Mailbox.of(channel, self.keys)
            except (ValidationError, InvalidToken) as problem:
                log.error("mailbox_not_set_up", channel=channel.slug, error=type(problem).__name__)
        return wanted

    async def _see_to(self, wanted: dict[uuid.UUID, tuple[Channel, Mailbox]]) -> None:
        await self._end(
            [
                id
                for id, (round, task) in self._rounds.items()
                if task.done() or id not in wanted or wanted[id][1] != round.mailbox
            ]
        )
        for id, (channel, mailbox) in wanted.items():
            if id not in self._rounds:
                round = _Round(self, channel, mailbox)
                self._rounds[id] = round, asyncio.create_task(round.run())

    async def _end(self, ids: Sequence[uuid.UUID]) -> None:
        tasks = [self._rounds.pop(id)[1] for id in ids]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Round:
    """One box, again and again."""

    def __init__(self, fetcher: Fetcher, channel: Channel, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self._db, self._keys, self._pace = fetcher.db, fetcher.keys, fetcher.pace
        self._largest = fetcher.largest
        self._me = fetcher.me
        self._channel = channel
        self._failures = 0
        self._under_way = UnderWay()

    async def run(self) -> None:
        while True:
            wait = self._pace.look * random.uniform(0.75, 1.0)
            try:
                async with self._db.transaction() as session:
                    mine = await fetching.claim(
                        session,
                        self._channel.id,
                        by=self._me,
                        settings=self._signature(),
                        lease=self._pace.lease,
                    )
                if mine:
                    wait = await self._hold()
            except BoxLost:
                log.warning("mailbox_lost", channel=self._channel.slug)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("mailbox_waits_for_database", error=type(failure).__name__)
            except Exception as failure:
                log.error("fetching_failed", channel=self._channel.slug, exc_info=failure)
                wait = self._pace.longest
            await asyncio.sleep(wait)

    async def _hold(self) -> float:
        """Fetches until it cannot be; after how many seconds to try again."""
        holding = asyncio.create_task(self._keep_hold())
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait((holding, reading), return_when=asyncio.FIRST_COMPLETED)
            return (await reading) if reading.done() else (await holding)
        finally:
            for task in (holding, reading):
                task.cancel()
            await asyncio.gather(holding, reading, return_exceptions=True)
            with suppress(SQLAlchemyError, OSError):
                async with self._db.transaction() as session:
                    await fetching.release(session, self._channel.id, by=self._me)

    async def _keep_hold(self) -> Never:
        """The lease is renewed as long as the box is read. Ends by BoxLost."""
        while True:
            await asyncio.sleep(self._pace.lease.total_seconds() / 3)
            try:
                async with self._db.transaction() as session:
                    await fetching.renew(session, self._channel.id, by=self._me, lease=self._pace.lease)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("mailbox_waits_for_database", error=type(failure).__name__)

    async def _read(self) -> float:
        self._under_way.until, self._under_way.moved = None, False
        try:
            await self._sign_in_and_fetch()
        except (SignInRefused, oauth.TokenRefused) as refusal:
            again = self._pace.refused * random.uniform(1.0, 1.25)
            return await self._failed(f"The sign-in is refused: {refusal}", again)
        except (BoxFailed, oauth.TokenFailed) as failure:
            if self._under_way.moved:
                self._failures = 0
            again = min(self._pace.again * 2.0 ** min(self._failures, 10), self._pace.longest)
            return await self._failed(str(failure), again * random.uniform(0.75, 1.0))

    async def _failed(self, error: str, again: float) -> float:
        log.warning("mailbox_fails", channel=self._channel.slug)
        self._failures += 1
        under_way = self._under_way.broke_off()
        async with self._db.transaction() as session:
            await fetching.fails(
                session, self._channel.id, by=self._me, error=error, again_in=again, fetching=under_way
            )
        return again

    async def _sign_in_and_fetch(self) -> Never:
        """Until something fails."""
        hand = Hand(f"imap {self._channel.slug}")
        box = ImapBox(self.mailbox, read=self._pace.read)
        try:
            await self._sign_in(hand, box)
            opened = await hand.do(box.open)
            async with self._db.transaction() as session:
                await fetching.signed_in(session, self._channel.id, by=self._me)
                row = await fetching.locked(session, self._channel.id, by=self._me)
                row.met(
                    uid_validity=opened.uid_validity,
                    uid_next=opened.uid_next,
                    days=self.mailbox.imap_since_days,
                    at=await database_time(session),
                )
            can_wait, wait = await hand.do(box.can_wait), 0.0
            collector = Collector(
                self._db, self._channel, self._me, hand, box, opened, self._under_way, largest=self._largest
            )
            while True:
                found = await collector.collect()
                self._failures = 0
                # What came between the search and the wait may be told by nobody: the first waits are short.
                wait = FIRST_WAIT if found or not wait else min(4 * wait, self._pace.recheck)
                if can_wait:
                    await hand.do(box.wait, wait)
                else:
                    await asyncio.sleep(self._pace.recheck)
                    await hand.do(box.is_there)
        finally:
            box.cut()
            hand.rest(box.leave)

    async def _sign_in(self, hand: Hand, box: ImapBox) -> None:
        if not self.mailbox.signs_in_with_tokens:
            await hand.do(box.sign_in, None)
            return
        try:
            await hand.do(box.sign_in, await oauth.access_token(self.mailbox))
        except SignInRefused:  # a token may die before its time
            await hand.do(box.leave)
            await hand.do(box.sign_in, await oauth.access_token(self.mailbox, fresh=True))
        self.mailbox = await oauth.keep_newest(self._db, self._keys, self._channel.id, self.mailbox)

    def _signature(self) -> str:
        said = self.mailbox.config() | self.mailbox.secrets()
        return self._keys.sign(PURPOSE, orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode())
