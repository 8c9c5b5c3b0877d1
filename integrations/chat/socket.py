"""`WS /chat/{channel}`: one JSON object a frame."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from domain.channels import ChannelKind, channel_called
from domain.db import Database, heard
from domain.keys import Keys
from integrations.chat.visit import BadFrame, Frame, Visit
from integrations.chat.widget import ChatWidget

log = structlog.get_logger()

LARGEST_FRAME = 64 * 1024
LOOK_AGAIN = 25.0
"""Seconds after which an open socket reads the table even if nobody rang."""

POLICY_VIOLATION, TOO_BIG = 1008, 1009


def routes(db: Database, keys: Keys) -> list[WebSocketRoute]:
    async def chat(socket: WebSocket) -> None:
        async with db.transaction() as session:
            channel = await channel_called(session, ChannelKind.CHAT, socket.path_params["channel"])
        if channel is None or not _welcome(ChatWidget.of(channel, keys), socket.headers.get("origin")):
            await socket.close(POLICY_VIOLATION)
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await _Socket(db, Visit(db, keys, channel), socket).run()

    return [WebSocketRoute("/chat/{channel}", chat)]


def _welcome(widget: ChatWidget, origin: str | None) -> bool:
    """A browser always says where the page stands; what says nothing is no page that could abuse a visitor."""
    return origin is None or not widget.origins or origin in widget.origins


class _Socket:
    def __init__(self, db: Database, visit: Visit, socket: WebSocket) -> None:
        self._db = db
        self._visit = visit
        self._socket = socket

    async def run(self) -> None:
        begun = False
        while not begun:
            if (frame := await self._next()) is not None:
                begun = await self._answer(self._visit.hello, frame)
        with self._db.bell.listening(self._visit.topic) as rung:
            writing = asyncio.create_task(self._write(rung))
            try:
                while True:
                    if (frame := await self._next()) is not None:
                        await self._answer(self._visit.take, frame)
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _next(self) -> Frame | None:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received["code"])
        text = received.get("text")
        if text is None:
            await self._say(BadFrame("not_text", "a frame is text, not binary").frame())
            return None
        if len(text) > LARGEST_FRAME:
            await self._socket.close(TOO_BIG)
            raise WebSocketDisconnect(TOO_BIG)
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            frame = None
        if not isinstance(frame, dict):
            await self._say(BadFrame("not_json", "a frame is one JSON object").frame())
            return None
        return frame

    async def _answer(self, act: Callable[[Frame], Awaitable[Frame | None]], frame: Frame) -> bool:
        """Was the frame taken?"""
        try:
            answer = await act(frame)
        except BadFrame as bad:
            await self._say(bad.frame())
            return False
        if answer:
            await self._say(answer)
        return True

    async def _write(self, rung: asyncio.Event) -> None:
        while self._socket.application_state == WebSocketState.CONNECTED:
            rung.clear()
            try:
                news = await self._visit.news()
            except (SQLAlchemyError, OSError) as failure:
                log.warning("chat_waits_for_the_database", error=type(failure).__name__)
                await asyncio.sleep(1)
                continue
            for frame in news:
                await self._say(frame)
            await heard(rung, LOOK_AGAIN)

    async def _say(self, frame: Frame) -> None:
        await self._socket.send_text(orjson.dumps(frame).decode())
