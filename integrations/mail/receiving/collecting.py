"""Collects what lies in a box that is open: portion by portion, each committed with the cursor.

A mail on which the server dies costs a few tries: then only its headers are asked for, and then nothing of it. That it is the mail,
and not the server, another mail proves that is handed over.
"""

import random
import uuid
from dataclasses import dataclass
from datetime import timedelta

from domain.db import Database, database_time
from domain.ways_in import fetching
from domain.ways_in.channels import Channel
from domain.ways_in.fetching import Box, Fetched
from integrations.mail.receiving.hand import Hand
from integrations.mail.receiving.imap import ImapBox, Opened, Waiting

AT_ONCE = 50
"""Mails of one command and one transaction, and bytes of theirs."""
AT_ONCE_BYTES = 8 * 1024 * 1024
LOOKED_AT = 200
"""Mails of whose sizes is asked at once."""
SEARCHED = 50_000
"""UIDs among which is searched at once: an answer of a million letters is too long for imaplib."""
WHOLE, HEADERS = 3, 5
"""After so many tries in vain, and one more for which the server was proven to be well, only a mail's headers are asked for, and then
nothing of it."""


@dataclass
class UnderWay:
    """Outlives the connection on which it broke off."""

    until: int | None = None
    """The last UID of what is being fetched."""
    careful_until: int = 0
    """Up to this UID mails are fetched one by one: with one of them it did not work."""

    moved: bool = False
    """Has anything been committed since it last broke off?"""

    def broke_off(self) -> bool:
        """Was anything under way?"""
        self.careful_until = max(self.careful_until, self.until or 0)
        return self.until is not None


class Collector:
    def __init__(
        self,
        db: Database,
        channel: Channel,
        holder: uuid.UUID,
        hand: Hand,
        box: ImapBox,
        opened: Opened,
        under_way: UnderWay,
        *,
        largest: int,
        patience: float,
    ) -> None:
        self._db, self._channel, self._me = db, channel, holder
        self._hand, self._box, self._opened = hand, box, opened
        self._under_way = under_way
        self._largest, self._patience = largest, patience

    async def collect(self) -> bool:
        """Whatever came after the cursor; was there anything?"""
        row = await self._row()
        while row.last_uid < row.older_until:
            until = min(row.older_until, row.last_uid + SEARCHED)
            older = await self._hand.do(self._box.after, row.last_uid, until=until, since=row.since)
            await self._fetch(older, older_than_we=True)
            await self._advance([], to=until)
            row = await self._row()
        newer = await self._hand.do(self._box.after, row.last_uid)
        await self._fetch(newer)
        async with self._db.transaction() as session:
            await fetching.works(session, self._channel.id, by=self._me)
        return bool(newer)

    async def _fetch(self, uids: list[int], *, older_than_we: bool = False) -> None:
        while uids:
            row = await self._row()
            is_careful = row.tries > 0 or uids[0] <= self._under_way.careful_until
            asked = uids[: 1 if is_careful else LOOKED_AT]
            gives_up = row.tries >= WHOLE and await self._is_the_mail(uids, row)
            counts = gives_up or row.tries < WHOLE
            self._under_way.until = asked[-1] if counts else None
            if gives_up and row.tries >= HEADERS:
                await self._advance([_withheld(asked[0], self._opened, row)], to=asked[0])
            else:
                mails = await self._hand.do(self._box.look_at, asked)
                if older_than_we:
                    mails = await self._ours(mails, row)
                largest = -1 if gives_up and row.tries > WHOLE else self._largest
                for some in _portions(mails, self._largest):
                    self._under_way.until = some[-1].uid if counts else None
                    fetched = await self._hand.do(self._box.fetch, some, self._opened, largest=largest)
                    await self._advance(fetched, to=some[-1].uid)
                if not mails or mails[-1].uid != asked[-1]:
                    await self._advance([], to=asked[-1])
            self._under_way.until = None
            uids = uids[len(asked) :]

    async def _is_the_mail(self, uids: list[int], row: Box) -> bool:
        """On which the server dies, and not a bad hour of the server's. Where none lies behind it, nobody waits while we do; where
        none of those does come, it is one of many for a day."""
        async with self._db.transaction() as session:
            failing = await database_time(session) - row.failing_since if row.failing_since else timedelta()
        behind = uids[1:LOOKED_AT]
        others = await self._hand.do(self._box.look_at, behind) if behind else []
        if not others or failing.total_seconds() >= 24 * self._patience:
            return failing.total_seconds() >= self._patience
        another = random.choice(others)  # not always the same: it may be as bad
        return bool(await self._hand.do(self._box.fetch, [another], self._opened, largest=self._largest))

    async def _ours(self, mails: list[Waiting], row: Box) -> list[Waiting]:
        """Of what was there when the box was first seen, or was numbered anew: not too old, and not here already."""
        recent = [mail for mail in mails if not (mail.came_at and row.since and mail.came_at < row.since)]
        ids = await self._hand.do(self._box.message_ids, [mail.uid for mail in recent]) if recent else {}
        sizes = {mail.uid: (ids[mail.uid], mail.size) for mail in recent if ids.get(mail.uid)}
        async with self._db.transaction() as session:
            known = await fetching.known(session, self._channel, sizes)
        return [mail for mail in recent if mail.uid not in known]

    async def _advance(self, mails: list[Fetched], *, to: int) -> None:
        async with self._db.transaction() as session:
            await fetching.advance(
                session, self._channel, mails, by=self._me, uid_validity=self._opened.uid_validity, to=to
            )
        self._under_way.moved = True

    async def _row(self) -> Box:
        async with self._db.transaction() as session:
            return await fetching.locked(session, self._channel.id, by=self._me)


def _portions(mails: list[Waiting], largest: int) -> list[list[Waiting]]:
    """What is fetched and committed at once."""
    portions: list[list[Waiting]] = []
    room = 0
    for mail in mails:
        size = mail.size if mail.size <= largest else 0
        if not portions or size > room or len(portions[-1]) == AT_ONCE:
            portions.append([])
            room = AT_ONCE_BYTES
        portions[-1].append(mail)
        room -= size
    return portions


def _withheld(uid: int, opened: Opened, row: Box) -> Fetched:
    """A mail of which the server hands over nothing: shown as failed, and the box is read on."""
    envelope = {"way": "imap", "uid": uid, "uid_validity": opened.uid_validity, "withheld": row.last_error}
    return Fetched(uid, f"imap:{opened.uid_validity}:{uid}", b"", envelope)
