"""One mailbox over IMAP, by IMAPClient. Everything here blocks: it runs in the mailbox's own thread.

Nothing in the box is changed: mails are peeked at, and what was read is told by UIDs, never by \\Seen.
"""

import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from domain.ways_in.fetching import Fetched
from integrations.mail.mailbox import Mailbox
from integrations.mail.reading.words import one_line
from integrations.mail.refusals import without_secrets

CONNECT, READ = 10.0, 30.0
"""Seconds that a server may take: for the connection, and for the next bytes of an answer."""
PORTS = {"imaps": 993, "imap": 143, "imap+starttls": 143}
LONGEST_ANSWER = 100 * 1024 * 1024
"""Bytes: twice the largest mail that is fetched, for some servers tell sizes roughly."""
MOST_UID = 2**32 - 1
"""Of RFC 3501."""
FOR_NOW = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[CONTACTADMIN]")
"""Of RFC 5530: a server that says so has not judged the password."""

OF_NO_ANSWER = (ValueError, KeyError, AttributeError, TypeError, IndexError, OverflowError, MemoryError)
"""What the client makes of an answer that is none, such as one of 10^20 letters, or of a socket that was cut."""


class SignInRefused(Exception):
    """The server does not take the name with this password or token: somebody must set it right."""


class BoxFailed(Exception):
    """The server or the way to it: later it may work."""


@dataclass(frozen=True)
class Opened:
    uid_validity: int
    uid_next: int


@dataclass(frozen=True)
class Waiting:
    """A mail that lies in the box."""

    uid: int
    size: int
    came_at: datetime | None


class ImapBox:
    def __init__(self, mailbox: Mailbox, *, read: float = READ) -> None:
        self._mailbox = mailbox
        self._read = read
        self._client: IMAPClient | None = None

    def sign_in(self, token: str | None) -> None:
        """With the password of the settings, or with an access token."""
        server = urlsplit(self._mailbox.imap_url or "")
        secure = ssl.create_default_context()
        try:
            self._client = client = IMAPClient(
                server.hostname or "",
                server.port or PORTS[server.scheme],
                ssl=server.scheme == "imaps",
                ssl_context=secure,
                timeout=SocketTimeout(CONNECT, self._read),
            )
            client.normalise_times = False
            _bound(client)
            if server.scheme == "imap+starttls":
                client.starttls(secure)
        except (IMAPClientError, OSError) as failure:
            raise BoxFailed(_said(failure)) from failure
        try:
            if token is None:
                client.login(self._mailbox.imap_user, self._mailbox.imap_password.get_secret_value())
            else:
                client.oauth2_login(self._mailbox.imap_user, token)
        except LoginError as refusal:
            # A connection that ends while the name is said is a LoginError, too.
            is_refused = not isinstance(refusal.__context__, IMAPClientAbortError)
            secret = token or self._mailbox.imap_password.get_secret_value()
            said = without_secrets(_said(refusal.__context__ or refusal), secret)
            if is_refused and not any(code in said.upper() for code in FOR_NOW):
                raise SignInRefused(said) from refusal
            raise BoxFailed(said) from refusal
        except (IMAPClientError, OSError, UnicodeError) as failure:
            secret = token or self._mailbox.imap_password.get_secret_value()
            raise BoxFailed(without_secrets(_said(failure), secret)) from failure

    def open(self) -> Opened:
        """The folder of the settings, for reading only."""
        with self._talking() as client:
            said = client.select_folder(self._mailbox.imap_folder, readonly=True)
            uid_next = said.get(b"UIDNEXT")
            if uid_next is None:  # an old server: of an empty box the next may be any
                uid_next = max(client.search(["UID", "1:*"]), default=0) + 1
            opened = Opened(int(said[b"UIDVALIDITY"]), int(uid_next))
            if not (0 < opened.uid_validity <= MOST_UID and 0 < opened.uid_next <= MOST_UID + 1):
                raise BoxFailed("the server numbers its mails as no server may")
            return opened

    def after(self, uid: int, *, until: int | None = None, since: datetime | None = None) -> list[int]:
        """UIDs that come after, in order. `since`: only of mails that came into the box then or later, by the day."""
        with self._talking() as client:
            criteria: list[object] = ["UID", f"{uid + 1}:{until or '*'}"]
            if since:
                criteria += ["SINCE", (since - timedelta(days=1)).date()]
            # Of `n:*` a server tells the last mail even when its UID is below n.
            return sorted(one for one in client.search(criteria) if uid < one <= (until or one))

    def look_at(self, uids: Sequence[int]) -> list[Waiting]:
        """Their sizes, before anything is fetched; without those that are gone meanwhile."""
        with self._talking() as client:
            found = client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
            return [
                Waiting(uid, int(found[uid].get(b"RFC822.SIZE", 0)), _aware(found[uid].get(b"INTERNALDATE")))
                for uid in uids
                if uid in found
            ]

    def message_ids(self, uids: Sequence[int]) -> dict[int, str]:
        with self._talking() as client:
            field = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
            found = client.fetch(uids, [field])
            return {uid: _message_id(_body(parts)) for uid, parts in found.items()}

    def fetch(self, mails: Iterable[Waiting], opened: Opened, *, largest: int) -> list[Fetched]:
        """Whole, or only the headers of what is larger; without those that are gone meanwhile."""
        mails = list(mails)
        whole = [mail for mail in mails if mail.size <= largest]
        large = [mail for mail in mails if mail.size > largest]
        with self._talking() as client:
            raws = self._raw(client, whole, "BODY.PEEK[]") | self._raw(client, large, "BODY.PEEK[HEADER]")
        fetched = []
        for mail in mails:
            if mail.uid in raws:
                envelope = {"way": "imap", "uid": mail.uid, "uid_validity": opened.uid_validity}
                if mail.size > largest:
                    envelope["oversized"] = mail.size
                raw = raws[mail.uid]
                fetched.append(Fetched(mail.uid, sha256(raw).hexdigest(), raw, envelope))
        return fetched

    def wait(self, seconds: float) -> None:
        """Until something happened in the box, at most so long. Afterwards one has to look: an EXISTS that came together
        with the answer to IDLE is not seen here."""
        with self._talking() as client:
            client.idle()
            client.idle_check(timeout=seconds)
            client.idle_done()  # at the end of a connection `idle_check` returns at once; this one says so

    def is_there(self) -> None:
        with self._talking() as client:
            client.noop()

    def can_wait(self) -> bool:
        with self._talking() as client:
            return bool(client.has_capability("IDLE"))

    def leave(self) -> None:
        if self._client is None:
            return
        with suppress(Exception):
            self._client.socket().settimeout(1.0)
            self._client.logout()
        with suppress(Exception):
            self._client.shutdown()

    def cut(self) -> None:
        """From another thread: whatever waits for the server in the box's own ends at once."""
        if self._client is not None:
            with suppress(OSError, AttributeError):
                # Not `IMAPClient.shutdown`, which waits for the reader; nor SSLSocket's, which takes the cipher away under it.
                socket.socket.shutdown(self._client.socket(), socket.SHUT_RDWR)

    def _raw(self, client: IMAPClient, mails: list[Waiting], part: str) -> dict[int, bytes]:
        if not mails:
            return {}
        found = client.fetch([mail.uid for mail in mails], [part])
        return {uid: _body(found[uid]) for uid in (mail.uid for mail in mails) if uid in found}

    @contextmanager
    def _talking(self) -> Iterator[IMAPClient]:
        if self._client is None:
            raise BoxFailed("nobody is signed in")
        try:
            yield self._client
        except (IMAPClientError, OSError, *OF_NO_ANSWER) as failure:
            raise BoxFailed(_said(failure)) from failure


def _bound(client: IMAPClient) -> None:
    """Of what a server announces no more than this is waited for and held."""
    read = client._imap.read

    def bounded(size: int) -> bytes:
        if size > LONGEST_ANSWER:
            raise ValueError(f"the server has an answer of {size} bytes")
        said: bytes = read(size)
        return said

    client._imap.read = bounded


def _body(parts: Mapping[Any, Any]) -> bytes:
    body = next((value for name, value in parts.items() if name.startswith(b"BODY[")), None)
    if not isinstance(body, bytes):
        raise BoxFailed("the server has a mail without its content")
    return body


def _message_id(header: bytes) -> str:
    found = re.search(rb"<([^<>\s]+)>", header)
    return found[1].decode("ascii", "replace") if found else ""


def _aware(came_at: datetime | None) -> datetime | None:
    return came_at if came_at is None or came_at.tzinfo else came_at.replace(tzinfo=UTC)


def _said(failure: BaseException) -> str:
    """In one line of plain text, for the channel."""
    words = failure.args[0] if failure.args and isinstance(failure.args[0], bytes) else str(failure)
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return (one_line(text) or type(failure).__name__)[:300]
