"""Fetches the mailboxes that are set up to be: each in a thread of its own, as long as nobody else holds it.

Every mail is kept as it is and committed with the cursor, before anybody reads it. IDLE says that something came; after
each wait, at least once a minute, the box is searched, whatever IDLE said.
"""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Never

import structlog

from domain.db import Database, database_time
from domain.keys import Keys
from domain.ways_in import fetching
from domain.ways_in.channels import Channel, ChannelKind
from integrations import holding
from integrations.holding import Holder
from integrations.mail import oauth
from integrations.mail.mailbox import FETCHED, Mailbox
from integrations.mail.reading.parse import LARGEST_MAIL
from integrations.mail.receiving.collecting import Collector, UnderWay
from integrations.mail.receiving.hand import Hand
from integrations.mail.receiving.imap import READ, BoxFailed, ImapBox, SignInRefused

log = structlog.get_logger()

FIRST_WAIT = 1.0
"""Seconds, after something came."""


@dataclass(frozen=True)
class Pace(holding.Pace):
    recheck: float = 60.0
    """After which a box is searched though nothing was heard of it."""
    read: float = READ
    patience: float = 3600.0
    """For which a mail is asked for, behind which no other lies, before it is given up."""


class Fetcher:
    def __init__(
        self, db: Database, keys: Keys, pace: Pace | None = None, *, largest: int = LARGEST_MAIL
    ) -> None:
        self.db, self.keys = db, keys
        self.pace = pace or Pace()
        self.largest = largest

    async def run(self) -> None:
        """Until cancelled."""
        await Holder(
            self.db,
            self.keys,
            self.pace,
            kind=ChannelKind.EMAIL,
            only=FETCHED,
            settings=Mailbox,
            reader=lambda channel, mailbox, me: _Reader(self, channel, mailbox, me),
        ).run()


class _Reader:
    """One box."""

    def __init__(self, fetcher: Fetcher, channel: Channel, mailbox: Mailbox, me: uuid.UUID) -> None:
        self.settings = mailbox
        self._db, self._keys, self._pace = fetcher.db, fetcher.keys, fetcher.pace
        self._largest = fetcher.largest
        self._me = me
        self._channel = channel
        self._failures = 0
        self._under_way = UnderWay()

    async def read(self) -> float:
        self._under_way.until, self._under_way.moved = None, False
        try:
            await self._sign_in_and_fetch()
        except (SignInRefused, oauth.TokenRefused) as refusal:
            return await self._failed(f"The sign-in is refused: {refusal}", self._pace.after_refusal())
        except (BoxFailed, oauth.TokenFailed) as failure:
            if self._under_way.moved:
                self._failures = 0
            return await self._failed(str(failure), self._pace.after_failure(self._failures))

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
        box = ImapBox(self.settings, read=self._pace.read)
        try:
            await self._sign_in(hand, box)
            opened = await hand.do(box.open)
            async with self._db.transaction() as session:
                await fetching.signed_in(session, self._channel.id, by=self._me)
                row = await fetching.locked(session, self._channel.id, by=self._me)
                row.met(
                    place=self.settings.box,
                    uid_validity=opened.uid_validity,
                    uid_next=opened.uid_next,
                    days=self.settings.imap_since_days,
                    at=await database_time(session),
                )
            can_wait, wait = await hand.do(box.can_wait), 0.0
            collector = Collector(
                self._db,
                self._channel,
                self._me,
                hand,
                box,
                opened,
                self._under_way,
                largest=self._largest,
                patience=self._pace.patience,
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
        if not self.settings.signs_in_with_tokens:
            await hand.do(box.sign_in, None)
            return
        try:
            await hand.do(box.sign_in, await oauth.access_token(self.settings))
        except SignInRefused:  # a token may die before its time
            await hand.do(box.leave)
            await hand.do(box.sign_in, await oauth.access_token(self.settings, fresh=True))
        self.settings = await oauth.keep_newest(self._db, self._keys, self._channel.id, self.settings)
