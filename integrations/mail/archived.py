"""Mails of the time before, as one finds them: in an mbox, a Maildir, a folder of `.eml` files, or a folder of the mailbox's server."""

import asyncio
import errno
import mailbox as boxes
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving.inbound import InboundAttachment, InboundMessage
from domain.arriving.ourselves import ours_among
from domain.customers.contacts import Claim, IdentityKind
from domain.customers.mailboxes import mail_address
from domain.db import Database, database_time
from domain.desk.files import Files
from domain.importing import mails
from domain.ways_in.channels import Channel
from integrations.mail import oauth
from integrations.mail.mailbox import Mailbox
from integrations.mail.payloads import message_of
from integrations.mail.reading import dates, parse, reader
from integrations.mail.receiving.hand import Hand
from integrations.mail.receiving.imap import BoxFailed, ImapBox, SignInRefused

SERVER_FAILS = (BoxFailed, SignInRefused, oauth.TokenFailed, oauth.TokenRefused)
"""What `on_server` raises."""
AT_ONCE = 20
"""Mails that are asked of a server at once."""


@dataclass(frozen=True)
class Found:
    place: str
    """Where it lies, for who looks for it there."""
    raw: bytes
    came_at: datetime | None
    """By the box's own word."""


def in_files(path: Path) -> Iterator[Found]:
    """The oldest first: an answer comes after what it answers. Raises OSError for what cannot be read."""
    if path.is_file() and path.suffix != ".eml":
        yield from _in_box(boxes.mbox(path, create=False), path)
    elif (path / "cur").is_dir():
        yield from _in_box(boxes.Maildir(path, create=False), path)
    elif not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    else:
        files = [path] if path.is_file() else sorted(path.rglob("*.eml"))
        for _, file in sorted((_date(file.read_bytes()) or _ENDLESS, file) for file in files):
            yield Found(str(file), file.read_bytes(), None)


_ENDLESS = datetime.max.replace(tzinfo=UTC)
"""Whatever has no date comes last."""


def _in_box(opened: boxes.Mailbox, path: Path) -> Iterator[Found]:
    with closing(opened) as box:
        dated = (
            (_date(box.get_bytes(key)) or _ENDLESS, place, key) for place, key in enumerate(box.keys(), 1)
        )
        for _, place, key in sorted(dated):
            yield Found(f"{path}, mail {place}", box.get_bytes(key), None)


def _date(raw: bytes) -> datetime | None:
    return dates.read(str(BytesHeaderParser().parsebytes(raw[:100_000])["Date"] or ""))


async def on_server(mailbox: Mailbox, folder: str) -> AsyncIterator[Found]:
    """Nothing in the folder is changed. Raises one of `SERVER_FAILS`."""
    hand, box = Hand(f"imap {folder}"), ImapBox(mailbox.model_copy(update={"imap_folder": folder}))
    try:
        token = await oauth.access_token(mailbox) if mailbox.signs_in_with_tokens else None
        await hand.do(box.sign_in, token)
        opened = await hand.do(box.open)
        uids = await hand.do(box.after, 0)
        waiting = await hand.do(box.look_at, uids) if uids else []
        waiting.sort(key=lambda mail: (mail.came_at or _ENDLESS, mail.uid))
        for place in range(0, len(waiting), AT_ONCE):
            some = waiting[place : place + AT_ONCE]
            came = {mail.uid: mail.came_at for mail in some}
            for mail in await hand.do(box.fetch, some, opened, largest=parse.LARGEST_MAIL):
                yield Found(f"{folder}, mail {mail.uid}", mail.raw, came[mail.uid])
    finally:
        box.cut()
        hand.rest(box.leave)


class Archivist:
    """Brings mails along into one mailbox channel."""

    def __init__(self, db: Database, files: Files, channel: Channel) -> None:
        self._db, self._files, self._channel = db, files, channel

    async def bring(self, found: Found, *, dry_run: bool = False) -> str | None:
        """Why it was left out, if it was. With `dry_run` all of it is done, but for its files, and taken back."""
        try:
            mail = await asyncio.to_thread(reader.read, found.raw)
        except parse.Unreadable as reason:
            return str(reason)
        if mail.bounce:
            return "a mail that came back"
        async with self._db.transaction() as session:
            now = await database_time(session)
            letter = await self._letter(session, mail, found, now)
        if letter is None:
            return "it is not from or to a customer"
        said = letter.said
        stored = [] if dry_run else [await self._stored(one) for one in said.attachments]
        why: str | None = "not kept"
        try:
            async with self._db.transaction() as session:
                savepoint = await session.begin_nested()
                why = await mails.bring(
                    session, self._channel, replace(said, attachments=tuple(stored)), found.raw,
                    name=letter.name, at=now,
                )  # fmt: skip
                await (savepoint.rollback() if dry_run else savepoint.commit())
        finally:
            if why:
                for file in filter(None, (one.file for one in stored)):
                    await self._files.delete(file)
        return why

    async def _letter(
        self, session: AsyncSession, mail: parse.Mail, found: Found, now: datetime
    ) -> "_Letter | None":
        """From a customer, or from the shop to one."""
        sender = mail_address(mail.from_.address) if mail.from_ else None
        if mail.from_ is None or sender is None:
            return None
        read = {mail_address(one.address): one for one in (*mail.to, *mail.cc)}
        ours = await ours_among(session, [address for address in (sender, *read) if address])
        from_shop = sender in ours
        theirs = (address for address in read if address and address not in ours)
        address = next(theirs, None) if from_shop else sender
        if address is None:
            return None
        who = read[address] if from_shop else mail.from_
        claim = Claim(IdentityKind.EMAIL, address, None, label=who.address)
        said = message_of(
            mail,
            found.raw,
            claim,
            name=mail.from_.name,
            at=min(mail.date or found.came_at or now, now),
            from_shop=from_shop,
        )
        return _Letter(said, who.name)

    async def _stored(self, attached: InboundAttachment) -> InboundAttachment:
        return replace(attached, file=await self._files.put(attached.content or b""))


@dataclass(frozen=True)
class _Letter:
    said: InboundMessage
    name: str
    """The customer's."""
