"""Fetches what providers keep only for a while: a Messenger photo's address lives for days. What they show only to their
customers (a recording at Twilio) is fetched with the channel's own credentials, and told from the rest by its host alone.
"""

from urllib.parse import urljoin, urlsplit

import httpx
import structlog
from sqlalchemy import select

from domain.actors import SYSTEM
from domain.certificates import trusted
from domain.db import Database, database_time
from domain.desk import scans
from domain.desk.files import Files
from domain.desk.messages import FETCHES, Attachment, Item
from domain.events import EventKind
from domain.hands import work
from domain.keys import Keys
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import Lease, TryLater
from integrations.phone.twilio.recordings import Recordings
from integrations.settings import IntegrationSettings
from integrations.sms.twilio.media import credentials_for
from integrations.twilio import is_kept_at

log = structlog.get_logger()

LARGEST_FILE = 50 * 1024 * 1024
REDIRECTS = 3

NOT_GIVEN = N_("The provider does not give this file out.")
NOT_ALLOWED = N_("Files are not fetched from this address.")


class Media:
    def __init__(self, db: Database, keys: Keys, files: Files, settings: IntegrationSettings) -> None:
        self._db = db
        self._keys = keys
        self._files = files
        self._twilio = settings.twilio_url
        self._suffixes = settings.media_suffixes

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=20, follow_redirects=False, verify=trusted()) as self._http:
            await work(self._db, FETCHES, self.fetch, hands=2)

    async def fetch(self, attachment: Attachment, lease: Lease[Attachment]) -> None:
        url = attachment.source_url or ""
        recordings, sign_in = await self._account(attachment, url)
        if recordings and attachment.file:
            await self._delete_there(recordings, url, lease)
            return
        try:
            content, mime = await self._download(url, recordings, sign_in)
        except _Refused as refusal:
            log.warning("attachment_refused", id=str(attachment.id), error=str(refusal))
            async with self._db.transaction() as session:
                await lease.give_up(session, error=str(refusal))
            return
        except httpx.HTTPError as failure:
            raise TryLater(f"{NOT_GIVEN}\n{type(failure).__name__}") from failure
        file = await self._files.put(content)
        try:
            async with self._db.transaction() as session:
                fetched = {
                    "file": file,
                    "bytes": len(content),
                    "mime": mime or attachment.mime,
                    "last_error": None,
                }
                if recordings and recordings.are_deleted:
                    await lease.hold(session, **fetched)
                else:
                    await lease.settle(session, source_url=None, **fetched)
                await scans.ask(session, self._files, [file])
                item = (await session.execute(select(Item).where(Item.id == attachment.item_id))).scalar_one()
                item.tell(EventKind.ATTACHMENT_FETCHED, by=SYSTEM, at=await database_time(session))
        except BaseException:
            # Somebody else has fetched it, its person was erased meanwhile, the database went.
            await self._let_go(file)
            raise
        if recordings and recordings.are_deleted:
            await self._delete_there(recordings, url, lease)

    async def _let_go(self, file: str) -> None:
        """Bytes that no row names would be nobody's to erase. Whether one does is asked: a commit may have lost only its answer."""
        async with self._db.transaction() as session:
            if await session.scalar(select(Attachment.id).where(Attachment.file == file)):
                return
        await self._files.delete(file)

    async def _account(
        self, attachment: Attachment, url: str
    ) -> tuple[Recordings | None, httpx.BasicAuth | None]:
        """Of a recording, which may have to be deleted there; and how to sign in where the file lies."""
        async with self._db.transaction() as session:
            channel = await session.scalar(
                select(Channel).join(Item, Item.channel_id == Channel.id).where(Item.id == attachment.item_id)
            )
        if channel is None:
            return None, None
        if channel.kind == ChannelKind.PHONE and is_kept_at(self._twilio, url, part="Recordings"):
            recordings = Recordings.of(channel, self._keys)
            return recordings, recordings.sign_in if recordings else None
        return None, credentials_for(channel, self._keys, self._twilio, url)

    async def _delete_there(self, recordings: Recordings, url: str, lease: Lease[Attachment]) -> None:
        """It is safe here: there it is deleted, however often that has to be tried."""
        try:
            await recordings.delete(self._http, url)
        except httpx.HTTPError as failure:
            raise TryLater(f"not deleted at the provider: {type(failure).__name__}") from failure
        async with self._db.transaction() as session:
            await lease.settle(session, source_url=None, last_error=None)

    async def _download(
        self, url: str, recordings: Recordings | None, sign_in: httpx.BasicAuth | None
    ) -> tuple[bytes, str | None]:
        """`sign_in`: shown where the file is said to be, and nowhere that its provider sends us on to."""
        for _ in range(REDIRECTS + 1):
            if sign_in is None:
                self._allowed(url)
            async with self._http.stream("GET", url, auth=sign_in) as answer:
                if answer.is_redirect:
                    url, sign_in = urljoin(url, answer.headers["location"]), None
                    continue
                if recordings and answer.status_code == httpx.codes.NOT_FOUND:
                    raise TryLater(N_("The recording is not there yet."))
                if answer.status_code in (401, 403, 404, 410):
                    raise _Refused(f"{NOT_GIVEN}\nHTTP {answer.status_code}")
                answer.raise_for_status()
                content = bytearray()
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > LARGEST_FILE:
                        raise _Refused(N_("The file is too large."))
                return bytes(content), answer.headers.get("content-type", "").partition(";")[0] or None
        raise _Refused(NOT_GIVEN)

    def _allowed(self, url: str) -> None:
        """Only the provider's own hosts: an address in a message must not make us knock on doors of our network."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        named = any(host == suffix or host.endswith("." + suffix) for suffix in self._suffixes)
        if parts.scheme not in ("http", "https") or not named:
            raise _Refused(f"{NOT_ALLOWED}\n{host}")


class _Refused(Exception):
    pass
