"""Who sends to Heddle from outside, through its doors, each input again and again until it is accepted.

Accepted is a mail by 250, a webhook by 200, a chat message by its ack. Some peers never saw that answer and send once
more. What everybody said stands in `said`: by customer, as the timeline of the customer's one ticket should show it.
"""

import asyncio
import hmac
import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import httpx
import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from demo.farends import GraphStandIn, messenger_events
from demo.farends.messenger_events import Event
from domain.channels import ChannelKind
from tests.factories import SETTINGS

MAILBOX = SETTINGS[ChannelKind.EMAIL]
WIDGET = SETTINGS[ChannelKind.CHAT]
PAGE = SETTINGS[ChannelKind.MESSENGER]
LINE = SETTINGS[ChannelKind.PHONE]

PATIENCE = 5.0  # seconds for an answer
PAUSE = 0.4  # seconds at most between two inputs of one sender
AGAIN = 0.2  # seconds until the same input is sent again
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
    doors: Doors
    seed: int
    said: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    inputs: int = 0
    """Accepted ones; what was sent once more counts once."""

    def everybody(self, *, shoppers: int, fans: int, callers: int) -> Iterator[Awaitable[None]]:
        """Shoppers write mails and, signed in, in the chat; fans write by Messenger; callers call."""
        for number in range(shoppers):
            address = f"shopper{number}@mail.example"
            yield self._mails(address, count=8)
            yield self._chats(address, count=8)
        for number, batches in enumerate(self._conversations(fans, messages=12)):
            yield self._posts_of_meta(f"meta{number}", batches)
        for number in range(callers):
            yield self._calls(f"+486001002{number:02}", count=2)

    async def _mails(self, address: str, *, count: int) -> None:
        dice = self._dice(address)
        for number in range(count):
            text = f"{address} mails for the {number}. time"
            raw = _mail(address, text, f"<{number}.{address}>")
            await self._insist(lambda raw=raw: self._deliver(address, raw), dice)
            self.said[address].append(text)

    async def _deliver(self, address: str, raw: bytes) -> bool:
        try:
            await aiosmtplib.send(
                raw,
                sender=address,
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

    def _conversations(self, fans: int, *, messages: int) -> Iterator[list[list[Event]]]:
        """Batches of several people's events, of several servers of Meta's."""
        events = []
        for fan, number in itertools.product(range(fans), range(messages)):
            psid, text = f"2468000000000{fan:04}", f"fan{fan} writes for the {number}. time"
            events.append(messenger_events.text_message(psid, PAGE["page_id"], text, mid=f"m_{fan}.{number}"))
            self.said[psid].append(text)
        self._dice("meta").shuffle(events)
        batches = [events[start : start + 4] for start in range(0, len(events), 4)]
        for server in range(4):
            yield batches[server::4]

    async def _posts_of_meta(self, server: str, batches: list[list[Event]]) -> None:
        meta, dice = GraphStandIn(PAGE["page_token"], PAGE["app_secret"]), self._dice(server)
        async with httpx.AsyncClient(base_url=self.doors.address, timeout=PATIENCE) as http:
            for batch in batches:
                body, headers = meta.webhook(batch, PAGE["page_id"])
                await self._insist(
                    lambda body=body, headers=headers: _post(
                        http, "/hooks/messenger/messenger", body, headers
                    ),
                    dice,
                )

    async def _calls(self, number: str, *, count: int) -> None:
        dice = self._dice(number)
        async with httpx.AsyncClient(base_url=self.doors.address, timeout=PATIENCE) as http:
            for call_id in (f"{number}-{call}" for call in range(count)):
                answered = dice.random() < 0.5
                for step in _steps(call_id, number, answered=answered, tells_all=dice.random() < 0.5):
                    body = json.dumps(step).encode()
                    await self._insist(
                        lambda body=body: _post(http, "/hooks/phone/phone", body, _signed(body)), dice
                    )
                self.said[number].append(f"{number} {'ENDED' if answered else 'MISSED'}")

    async def _chats(self, address: str, *, count: int) -> None:
        dice = self._dice(f"chat of {address}")
        identity = {"sub": address, "email": address, "email_verified": True, "aud": "chat"}
        token = jwt.encode(identity | {"exp": int(time.time()) + 600}, WIDGET["identity_key"], "HS256")
        session = ""
        texts = [f"{address} chats for the {number}. time" for number in range(count)]
        while texts:
            try:
                async with connect(f"{self.doors.address.replace('http', 'ws')}/chat/chat") as socket:
                    await _say(socket, type="hello", session=session, identity=token)
                    session = (await _heard(socket, "hello"))["session"]
                    while texts:
                        await asyncio.sleep(dice.uniform(0, PAUSE))
                        for _ in range(2 if dice.random() < UNSURE else 1):
                            await _say(socket, type="message", id=texts[0], text=texts[0])
                            assert (await _heard(socket, "ack"))["id"] == texts[0]
                        self.said[address].append(texts.pop(0))
                        self.inputs += 1
            except (WebSocketException, OSError, TimeoutError):
                await asyncio.sleep(AGAIN)

    async def _insist(self, attempt: Callable[[], Awaitable[bool]], dice: random.Random) -> None:
        await asyncio.sleep(dice.uniform(0, PAUSE))
        for _ in range(2 if dice.random() < UNSURE else 1):
            while not await attempt():
                await asyncio.sleep(AGAIN)
        self.inputs += 1

    def _dice(self, sender: str) -> random.Random:
        """Everybody's own: in which order they come does not change what they do."""
        return random.Random(f"{self.seed} {sender}")


def _mail(address: str, text: str, message_id: str) -> bytes:
    """As our own relay hands it on, which has seen DMARC pass."""
    mail = EmailMessage()
    relay = MAILBOX["authserv_id"]
    mail["Authentication-Results"] = f"{relay}; dmarc=pass header.from={address.partition('@')[2]}"
    mail["From"], mail["To"], mail["Subject"] = address, MAILBOX["address"], "My order"
    mail["Message-ID"] = message_id
    mail.set_content(text)
    return mail.as_bytes()


async def _post(http: httpx.AsyncClient, path: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        answer = await http.post(path, content=body, headers=headers)
    except httpx.TransportError:
        return False
    if answer.status_code >= 500:
        return False
    answer.raise_for_status()
    return True


def _steps(call_id: str, number: str, *, answered: bool, tells_all: bool) -> Iterable[dict[str, Any]]:
    """Some PBXs say with every step who calls, some with the first alone."""
    parties = {"direction": "in", "from": number.lstrip("+"), "to": LINE["number"].lstrip("+")}
    always = {"call_id": call_id, **(parties if tells_all else {})}
    yield {"event": "newCall", **always, **parties}
    if answered:
        yield {"event": "answer", "user": "Ben", **always}
    yield {"event": "hangup", "cause": "normalClearing" if answered else "cancel", **always}


def _signed(body: bytes) -> dict[str, str]:
    now = int(time.time())
    digest = hmac.digest(LINE["key"].encode(), f"{now}.".encode() + body, "sha256")
    return {"X-Signature": f"t={now},v1={digest.hex()}"}


async def _say(socket: ClientConnection, **frame: Any) -> None:
    await socket.send(json.dumps(frame))


async def _heard(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of this type; what was said before is shown in between."""
    async with asyncio.timeout(PATIENCE):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] == kind:
                return frame
