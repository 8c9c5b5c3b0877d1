"""Customers at the shop's doors: what a mail server, a website, Meta and a telephone exchange send for them."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiosmtplib
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from demo.farends import messenger_events
from demo.narrator import PATIENCE
from demo.shop import ADDRESS, CHAT, LINE, PAGE, RELAY, Shop


@dataclass(frozen=True)
class Customer:
    name: str
    email: str
    shop: Shop
    phone: str = ""
    psid: str = ""
    """Who the person is to Messenger's page."""

    async def mails(
        self, subject: str, text: str, *, to: str = ADDRESS, answering: EmailMessage | None = None
    ) -> str:
        """By way of the relay, which has checked where it comes from. Returns the Message-ID."""
        mail = EmailMessage(policy=SMTP)
        local, _, domain = self.email.partition("@")
        mail["Authentication-Results"] = f"{RELAY}; dmarc=pass header.from={domain}"
        mail["From"] = Address(self.name, local, domain)
        mail["To"] = to
        mail["Subject"] = subject
        mail["Date"] = format_datetime(localtime())
        mail["Message-ID"] = f"<{secrets.token_hex(8)}@{domain}>"
        if answering:
            mail["In-Reply-To"] = answering["Message-ID"]
            mail["References"] = f"{answering['References']} {answering['Message-ID']}"
        mail.set_content(text)
        await aiosmtplib.send(
            mail.as_bytes(),
            sender=self.email,
            recipients=[to],
            hostname="127.0.0.1",
            port=self.shop.smtp_port,
            start_tls=False,
        )
        return str(mail["Message-ID"])

    @asynccontextmanager
    async def in_the_chat(self) -> AsyncIterator["Chat"]:
        """On the shop's website, signed in there: the shop signs who she is."""
        token = self.shop.website.identity(sub="customer-77", email=self.email, name=self.name)
        address = f"{self.shop.url.replace('http', 'ws', 1)}/chat/{CHAT}"
        origin = Origin(self.shop.website.origin)
        async with connect(address, origin=origin, proxy=None) as socket:
            chat = Chat(socket)
            await chat.say({"type": "hello", "identity": token, "locale": "pl"})
            chat.greeting = await chat.hear("hello")
            yield chat

    async def opens(self, link: str) -> None:
        """Taps the m.me link; Meta tells the page by which link she came."""
        (ref,) = parse_qs(urlsplit(link).query)["ref"]
        await self._meta_posts(messenger_events.referral(self.psid, self.shop.page_id, ref))

    async def sends_a_photo(self, name: str) -> str:
        """Returns where Meta keeps it."""
        url = self.shop.graph.media_url(name)
        await self._meta_posts(messenger_events.photo_message(self.psid, self.shop.page_id, url))
        return url

    async def rings_and_hangs_up(self) -> None:
        call = {
            "direction": "in",
            "call_id": secrets.token_hex(8),
            "from": self.phone,
            "to": self.shop.number,
        }
        await self._exchange_posts({"event": "newCall", **call})
        await self._exchange_posts({"event": "hangup", "cause": "cancel", **call})

    async def _meta_posts(self, event: messenger_events.Event) -> None:
        body, headers = self.shop.graph.webhook([event], self.shop.page_id)
        await self._post(f"/hooks/messenger/{PAGE}", body, headers)

    async def _exchange_posts(self, event: dict[str, str]) -> None:
        body, at = json.dumps(event).encode(), int(time.time())
        signed = hmac.new(self.shop.secrets.phone.encode(), f"{at}.".encode() + body, hashlib.sha256)
        signature = f"t={at},v1={signed.hexdigest()}"
        await self._post(f"/hooks/phone/{LINE}", body, {"X-Signature": signature})

    async def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{self.shop.url}{path}", content=body, headers=headers)
            answer.raise_for_status()


class Chat:
    """The widget's end of the chat socket."""

    greeting: dict[str, Any]

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def writes(self, text: str) -> None:
        """Returns when Heddle says that it is safe."""
        id = secrets.token_hex(8)
        await self.say({"type": "message", "id": id, "text": text})
        await self.hear("ack", id=id)

    async def reads(self) -> dict[str, Any]:
        """The shop's next message."""
        return await self.hear("message", **{"from": "agent"})

    async def has_shown(self, message: dict[str, Any]) -> None:
        await self.say({"type": "ack", "seq": message["seq"]})

    async def say(self, frame: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(frame))

    async def hear(self, type: str, **said: str) -> dict[str, Any]:
        """The next frame of this kind; others are passed over."""
        wanted = {"type": type, **said}
        async with asyncio.timeout(PATIENCE):
            while True:
                frame: dict[str, Any] = json.loads(await self._socket.recv())
                if frame["type"] == "error":
                    raise ConnectionError(f"the chat said: {frame['message']}")
                if wanted.items() <= frame.items():
                    return frame
