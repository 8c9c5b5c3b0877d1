"""`WS /chat/{channel}`: one JSON object a frame."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from domain.buckets import Buckets
from integrations.chat.frames import LARGEST_FRAME, BadFrame, Frame, read_frame
from integrations.chat.reception import Reception
from integrations.chat.telling import Telling
from integrations.chat.visit import Visit

FRAMES_PER_MINUTE = 300.0
"""Of one socket; so many may come at once."""
HELLO_WITHIN = 30.0
"""Seconds: who says nothing has no seat that could be counted."""
MOST_REFUSED = 300
"""Frames that came too fast, before the socket is closed."""

GOING_AWAY, POLICY_VIOLATION, TOO_BIG, TRY_AGAIN_LATER = 1001, 1008, 1009, 1013
FINAL = {"too_many_sessions": TRY_AGAIN_LATER, "too_many_streams": TRY_AGAIN_LATER}
"""After these refusals nothing more is to be had on this socket."""


def routes(reception: Reception) -> list[WebSocketRoute]:
    async def chat(socket: WebSocket) -> None:
        channel = await reception.channel(socket.path_params["channel"])
        if channel is None:
            await socket.close(POLICY_VIOLATION)
            return
        visit = Visit(reception, channel, address=socket.client.host if socket.client else None)
        if not visit.widget.welcomes(socket.headers.get("origin")):
            await socket.close(POLICY_VIOLATION)
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await _Socket(reception, visit, socket).run()

    return [WebSocketRoute("/chat/{channel}", chat)]


class _Socket:
    def __init__(self, reception: Reception, visit: Visit, socket: WebSocket) -> None:
        self._house = reception
        self._visit = visit
        self._socket = socket
        self._pace = Buckets(time.monotonic)
        self._refused = 0

    async def run(self) -> None:
        visit = self._visit
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                while not visit.key:
                    await self._answer(visit.hello, await self._next())
        except TimeoutError:
            await self._close(POLICY_VIOLATION)
        while True:
            key = visit.key
            await self._check_seat()
            with self._house.seated(visit.channel, key, visit.address):
                writing = asyncio.create_task(
                    self._write(Telling(self._house, visit.channel, key, visit.shown), key)
                )
                try:
                    while visit.key == key:  # until who signs in or out goes on in another session
                        await self._answer(visit.take, await self._next())
                finally:
                    writing.cancel()
                    await asyncio.gather(writing, return_exceptions=True)

    async def _check_seat(self) -> None:
        try:
            visit = self._visit
            self._house.check_seat(visit.channel, visit.widget, visit.key, visit.address)
        except BadFrame as full:
            await self._refuse(full)

    async def _next(self) -> str | None:
        """The text of a frame; none of one that is no text."""
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received["code"])
            if not (seconds := self._pace.take("frames", 1, per_minute=FRAMES_PER_MINUTE)):
                break
            self._refused += 1
            await self._refuse(
                BadFrame("too_fast", "frames come too fast; this one was not taken", retryAfter=seconds)
            )
        text: str | None = received.get("text")
        if text is not None and len(text) > LARGEST_FRAME:
            await self._close(TOO_BIG)
        return text

    async def _answer(self, act: Callable[[Frame], Awaitable[Frame | None]], text: str | None) -> None:
        try:
            if text is None:
                raise BadFrame("not_text", "a frame is text, not binary")
            answer = await act(read_frame(text))
        except BadFrame as bad:
            await self._refuse(bad)
            return
        if answer:
            await self._say(answer)

    async def _write(self, telling: Telling, key: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it closes as we write
            async for frame in telling.frames():
                if frame:
                    await self._say(frame)
            if self._visit.key == key:  # else this one has signed out itself, and goes on
                await self._socket.close(GOING_AWAY)

    async def _refuse(self, refusal: BadFrame) -> None:
        await self._say(refusal.frame())
        if self._refused >= MOST_REFUSED:
            await self._close(TRY_AGAIN_LATER)
        if refusal.code in FINAL:
            await self._close(FINAL[refusal.code])

    async def _close(self, code: int) -> None:
        with suppress(RuntimeError):  # it is closed
            await self._socket.close(code)
        raise WebSocketDisconnect(code)

    async def _say(self, frame: Frame) -> None:
        try:
            await self._socket.send_text(orjson.dumps(frame).decode())
        except RuntimeError as closed:
            raise WebSocketDisconnect from closed
