"""Who sends to Heddle from outside, through its doors, each input again and again until it is accepted.

Accepted is a mail by 250, a webhook by 200, a chat message by its ack. Some never saw that answer and send once more.
"""

import asyncio
import hmac
import itertools
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from typing import Any

import aiosmtplib
import httpx
import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from demo.farends import GraphStandIn, messenger_events
from domain.certificates import trusted
from domain.ways_in.channels import ChannelKind
from tests.factories import SETTINGS

MAILBOX = SETTINGS[ChannelKind.EMAIL]
WIDGET = SETTINGS[ChannelKind.CHAT]
PAGE = SETTINGS[ChannelKind.MESSENGER]
LINE = SETTINGS[ChannelKind.PHONE]

PAUSE = 2.5  # seconds at most between two inputs of one sender
AGAIN = 0.2  # seconds until the same input is sent again
PATIENCE = 5.0  # seconds for an answer
UNSURE = 0.15  # of the accepted inputs are sent once more


@dataclass(frozen=True)
class Doors:
    http: int
    smtp: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http}"


@dataclass
class Crowd:
    """Shoppers write mails and, signed in, in the chat; fans write by Messenger; callers call. Until it is `enough`."""

    doors: Doors
    seed: int
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    said: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By customer, what was accepted: messages by their text, calls by number and end."""
    inputs: int = 0
    """Accepted ones; the same bytes sent once more count once."""

    def everybody(self) -> Iterator[Coroutine[Any, Any, None]]:
        for shopper in (f"shopper{number}@mail.example" for number in range(10)):
            yield self._mails(shopper, least=7)
            yield self._chats(shopper, least=7)
        for server in range(4):
            yield self._posts_of_meta(f"meta{server}", least=7)
        for number in range(12):
            yield self._calls(f"+486001002{number:02}", least=2)

    async def _mails(self, shopper: str, *, least: int) -> None:
        dice = self._dice(shopper)
        for number in self._turns(least):
            text = f"{_order(shopper)}, mail {number}"
            await self._insist(partial(self._deliver, shopper, _mail(shopper, text, number)), dice)
            self.said[shopper].append(text)

    async def _deliver(self, sender: str, raw: bytes) -> bool:
        try:
            await aiosmtplib.send(
                raw,
                sender=sender,
                recipients=[MAILBOX["address"]],
                hostname="127.0.0.1",
                port=self.doors.smtp,
                timeout=PATIENCE,
            )
        except aiosmtplib.SMTPResponseException as refusal:
            if refusal.code >= 500:
                raise
            return False
        except (aiosmtplib.SMTPException, OSError):
            return False
        return True

    async def _chats(self, shopper: str, *, least: int) -> None:
        dice = self._dice(f"the widget of {shopper}")
        widget = Widget(self.doors, shopper)
        for number in self._turns(least):
            text = f"{_order(shopper)}, chat {number}"
            await self._insist(partial(widget.deliver, text), dice)
            self.said[shopper].append(text)
        await widget.close()

    async def _posts_of_meta(self, server: str, *, least: int) -> None:
        """Batches of several people's messages. One that is sent once more is another body about the same."""
        meta, dice = GraphStandIn(PAGE["page_token"], PAGE["app_secret"]), self._dice(server)
        async with httpx.AsyncClient(base_url=self.doors.address, timeout=PATIENCE, verify=trusted()) as http:
            for number in self._turns(least):
                batch = {f"m_{server}.{number}.{place}": f"fan{dice.randrange(8)}" for place in range(4)}
                events = [
                    messenger_events.text_message(fan, PAGE["page_id"], f"{fan}, {mid}", mid=mid)
                    for mid, fan in batch.items()
                ]
                for _ in range(2 if dice.random() < UNSURE else 1):
                    body, headers = meta.webhook(events, PAGE["page_id"])
                    await self._insist(
                        partial(_post, http, "/hooks/messenger/messenger", body, headers), dice
                    )
                for mid, fan in batch.items():
                    self.said[fan].append(f"{fan}, {mid}")

    async def _calls(self, number: str, *, least: int) -> None:
        dice = self._dice(number)
        async with httpx.AsyncClient(base_url=self.doors.address, timeout=PATIENCE, verify=trusted()) as http:
            for call in self._turns(least):
                answered = dice.random() < 0.5
                for step in _steps(f"{number}-{call}", number, answered, tells_all=dice.random() < 0.5):
                    await self._insist(partial(_post_signed, http, "/hooks/phone/phone", step), dice)
                self.said[number].append(f"{number} {'ENDED' if answered else 'MISSED'}")

    def _turns(self, least: int) -> Iterator[int]:
        return itertools.takewhile(
            lambda number: number < least or not self.enough.is_set(), itertools.count()
        )

    async def _insist(self, attempt: Callable[[], Awaitable[bool]], dice: random.Random) -> None:
        await asyncio.sleep(dice.uniform(0, PAUSE))
        for _ in range(2 if dice.random() < UNSURE else 1):
            while not await attempt():
                await asyncio.sleep(AGAIN)
        self.inputs += 1

    def _dice(self, sender: str) -> random.Random:
        """Everybody's own: in which order they come does not change what they do."""
        return random.Random(f"{self.seed} {sender}")


def _order(shopper: str) -> str:
    """All that one of them writes is about one order, and so belongs into one ticket."""
    return f"{shopper}, order 7{int(re.sub(r'[^0-9]', '', shopper)):05}"


class Widget:
    """A shopper's browser: keeps its session when the socket breaks."""

    def __init__(self, doors: Doors, shopper: str) -> None:
        claims = {"sub": shopper, "email": shopper, "email_verified": True, "aud": "chat"}
        self._identity = jwt.encode(claims | {"exp": int(time.time()) + 600}, WIDGET["identity_key"], "HS256")
        self._address = doors.address.replace("http", "ws") + "/chat/chat"
        self._session = ""
        self._socket: ClientConnection | None = None

    async def deliver(self, text: str) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                socket = self._socket or await self._opened()
                await socket.send(json.dumps({"type": "message", "id": text, "text": text}))
                while (await _heard(socket, "ack"))["id"] != text:
                    pass
        except (WebSocketException, OSError, TimeoutError):
            await self.close()
            return False
        return True

    async def _opened(self) -> ClientConnection:
        self._socket = await connect(self._address, close_timeout=1)
        hello = {"type": "hello", "session": self._session, "identity": self._identity}
        await self._socket.send(json.dumps(hello))
        self._session = (await _heard(self._socket, "hello"))["session"]
        return self._socket

    async def close(self) -> None:
        if self._socket:
            await self._socket.close()
        self._socket = None


async def _heard(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of this type: what was said is shown in between."""
    while (frame := json.loads(await socket.recv()))["type"] != kind:
        assert frame["type"] != "error", frame
    return dict(frame)


def _mail(sender: str, text: str, number: int) -> bytes:
    """As our own relay hands it on, which has seen DMARC pass."""
    mail = EmailMessage()
    relay, domain = MAILBOX["authserv_id"], sender.partition("@")[2]
    mail["Authentication-Results"] = f"{relay}; dmarc=pass header.from={domain}"
    mail["From"], mail["To"], mail["Subject"] = sender, MAILBOX["address"], "My order"
    mail["Message-ID"] = f"<{number}.{sender}>"
    mail.set_content(text)
    return mail.as_bytes()


def _steps(call_id: str, number: str, answered: bool, *, tells_all: bool) -> Iterator[dict[str, str]]:
    """Some PBXs say with every step who calls, some with the first alone."""
    parties = {"direction": "in", "from": number.lstrip("+"), "to": LINE["number"].lstrip("+")}
    always = {"call_id": call_id, **(parties if tells_all else {})}
    yield {"event": "newCall", **always, **parties}
    if answered:
        yield {"event": "answer", "user": "Ben", **always}
    yield {"event": "hangup", "cause": "normalClearing" if answered else "cancel", **always}


async def _post_signed(http: httpx.AsyncClient, path: str, step: dict[str, str]) -> bool:
    body, now = json.dumps(step).encode(), int(time.time())
    digest = hmac.digest(LINE["key"].encode(), f"{now}.".encode() + body, "sha256")
    return await _post(http, path, body, {"X-Signature": f"t={now},v1={digest.hex()}"})


async def _post(http: httpx.AsyncClient, path: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        answer = await http.post(path, content=body, headers=headers)
    except httpx.TransportError:
        return False
    if answer.status_code >= 500:
        return False
    answer.raise_for_status()
    return True
