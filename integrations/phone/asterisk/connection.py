"""One connection to the manager interface (AMI) of an Asterisk, by panoramisk's client.

Not used of it: its way of connecting again, which sends anew what was not answered (a call would be made twice), and its
pings, whose answers it does not look for (a dead line stays open for ever).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from integrations.phone.asterisk.exchange import Exchange

ANSWER = 10.0
"""Seconds for a connection, and for each answer."""
PING = 15.0
NEVER = 10**9

Event = dict[str, Any]


class ExchangeFailed(Exception):
    """There is no line to it, or no more."""


class SignInRefused(ExchangeFailed):
    pass


class Unanswered(ExchangeFailed):
    """Asked, and the answer did not come: what was asked for may have been done."""


@asynccontextmanager
async def connected(
    exchange: Exchange, hear: Callable[[Event], None] | None = None
) -> AsyncIterator["Connection"]:
    """Signed in. `hear` is told every event."""
    connection = Connection(exchange, hear)
    try:
        await connection.open()
        yield connection
    finally:
        connection.close()


class Connection:
    def __init__(self, exchange: Exchange, hear: Callable[[Event], None] | None) -> None:
        from panoramisk import Manager as Client

        self.lost = asyncio.Event()
        self._exchange, self._hears = exchange, hear is not None
        lost = self.lost

        class Once(Client):  # type: ignore[misc]
            def connection_made(self, connecting: Any) -> None:
                if not connecting.cancelled() and connecting.exception() is None:
                    super().connection_made(connecting)

            def connection_lost(self, exc: Any) -> None:
                lost.set()

        self._client = Once(
            host=exchange.ami_host,
            port=exchange.ami_port,
            ssl=exchange.ami_tls or None,
            ping_delay=NEVER,
            loop=asyncio.get_running_loop(),
        )
        if hear is not None:
            self._client.register_event("*", lambda _, message: hear(dict(message)))

    async def open(self) -> None:
        try:
            async with asyncio.timeout(ANSWER):
                await self._client.connect()
        except (OSError, TimeoutError) as failure:
            raise ExchangeFailed(f"no connection: {failure or type(failure).__name__}") from failure
        try:
            answers = await self.ask(
                {
                    "Action": "Login",
                    "Username": self._exchange.ami_user,
                    "Secret": self._exchange.ami_secret.get_secret_value(),
                    "Events": "call" if self._hears else "off",
                }
            )
        except Unanswered as failure:
            raise ExchangeFailed(f"at the sign-in, {failure}") from failure
        if answers[0].get("Response") != "Success":
            raise SignInRefused(f"the sign-in is refused: {answers[0].get('Message', '')}"[:300])

    async def ask(self, action: Mapping[str, str], *, listed: bool = False) -> list[Mapping[str, Any]]:
        """The answer; `listed`: with the events that it consists of. What is no line of its own is refused before it is said."""
        if any(not value.isprintable() for value in action.values()):
            raise ValueError("a line would end here, and another command begin")
        if self.lost.is_set():
            raise ExchangeFailed("the connection is lost")
        asked = self._client.send_action(dict(action), as_list=None if listed else False)
        lost = asyncio.ensure_future(self.lost.wait())
        try:
            done, _ = await asyncio.wait((asked, lost), timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
        if asked not in done:
            asked.cancel()
            raise Unanswered("the connection was cut" if self.lost.is_set() else "no answer came")
        answer = asked.result()
        return list(answer) if isinstance(answer, list) else [answer]

    async def until_lost(self) -> None:
        """Asks again and again whether somebody is there."""
        while True:
            try:
                async with asyncio.timeout(PING):
                    await self.lost.wait()
                    return
            except TimeoutError:
                await self.ask({"Action": "Ping"})

    def close(self) -> None:
        self._client.close()
