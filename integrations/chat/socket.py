"""`WS /chat/{channel}`: the website widget's protocol, one JSON object a frame.

visitor → hello    {session?, identity?, seq?, locale?}     first; `seq`: the last message the widget has shown
visitor → message  {id, text}                               `id` is the widget's own: sent twice, it is kept once
visitor → ack      {seq}                                    shown up to here
heddle  → hello    {session, refused?}                      keep `session` for the next visit
heddle  → message  {seq, id, from: visitor|agent, author?, text, at}
heddle  → ack      {id}                                     it is safe
heddle  → error    {code, message}
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from domain.access import may_see
from domain.actors import visitor
from domain.channels import TOPIC, Channel, ChannelKind, channel_called
from domain.db import Database, database_time, heard
from domain.inbound import Arrival, keep
from domain.keys import Keys
from domain.messages import Direction, Message
from domain.people import is_anothers_session
from domain.staff import Agent
from integrations.chat.identity import IdentityRefused, new_session, session_id, signed_identity
from integrations.chat.payloads import claims
from integrations.chat.widget import ChatWidget

log = structlog.get_logger()

LARGEST_FRAME = 64 * 1024
LONGEST_TEXT = 8000
LOOK_AGAIN = 25.0
"""Seconds after which an open socket reads the table even if nobody rang."""

POLICY_VIOLATION = 1008
GOING_AWAY = 1001


class BadFrame(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def routes(db: Database, keys: Keys) -> list[WebSocketRoute]:
    async def chat(socket: WebSocket) -> None:
        async with db.transaction() as session:
            channel = await channel_called(session, ChannelKind.CHAT, socket.path_params["channel"])
        if channel is None or not _welcome(ChatWidget.of(channel, keys), socket.headers.get("origin")):
            await socket.close(POLICY_VIOLATION)
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await Visit(db, keys, channel, socket).run()

    return [WebSocketRoute("/chat/{channel}", chat)]


def _welcome(widget: ChatWidget, origin: str | None) -> bool:
    """A browser always says where the page stands; what says nothing is no page that could abuse a visitor."""
    return origin is None or not widget.origins or origin in widget.origins


class Visit:
    """One open socket."""

    def __init__(self, db: Database, keys: Keys, channel: Channel, socket: WebSocket) -> None:
        self._db = db
        self._keys = keys
        self._channel = channel
        self._socket = socket
        self._shown = 0
        self._envelope: dict[str, Any] = {}

    async def run(self) -> None:
        while not self._envelope:
            if (frame := await self._next()) is not None:
                await self._guarded(self._hello, frame)
        bell = self._db.bell
        with bell.listening(f"chat:{self._envelope['session']}") as rung, bell.listening(TOPIC) as changed:
            beside = [
                asyncio.create_task(self._write(rung)),
                asyncio.create_task(self._leave_when_switched_off(changed)),
            ]
            try:
                while True:
                    if (frame := await self._next()) is not None:
                        await self._guarded(self._take, frame)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    async def _next(self) -> dict[str, Any] | None:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received["code"])
        text = received.get("text")
        if text is None:
            await self._say("error", code="not_text", message="a frame is text, not binary")
            return None
        if len(text) > LARGEST_FRAME:
            await self._socket.close(1009)
            raise WebSocketDisconnect(1009)
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            frame = None
        if not isinstance(frame, dict):
            await self._say("error", code="not_json", message="a frame is one JSON object")
            return None
        return frame

    async def _guarded(self, act: Any, frame: dict[str, Any]) -> None:
        try:
            await act(frame)
        except BadFrame as bad:
            await self._say("error", code=bad.code, message=str(bad))

    async def _hello(self, frame: dict[str, Any]) -> None:
        if frame.get("type") != "hello":
            raise BadFrame("hello_first", "the first frame is hello")
        self._shown = _whole_number(frame.get("seq", 0), "seq")
        given = str(frame.get("session") or "")
        slug = self._channel.slug
        session = given if session_id(self._keys, slug, given) else new_session(self._keys, slug)
        said: dict[str, Any] = {"session": session}
        envelope: dict[str, Any] = {"session": session_id(self._keys, slug, session)}
        if token := frame.get("identity"):
            widget = ChatWidget.of(self._channel, self._keys)
            try:
                keys = widget.accepted("identity_key")
                envelope["identity"] = _storable(signed_identity(keys, slug, str(token)))
            except IdentityRefused as refusal:
                said["refused"] = str(refusal)
        if "identity" in envelope and await self._is_anothers(envelope):
            session = said["session"] = new_session(self._keys, slug)
            envelope["session"] = session_id(self._keys, slug, session)
        if locale := frame.get("locale"):
            envelope["locale"] = _stored(str(locale))[:20]
        await self._say("hello", **said)
        self._envelope = envelope

    async def _is_anothers(self, envelope: dict[str, Any]) -> bool:
        handle, *signed = claims(self._channel, envelope)
        async with self._db.transaction() as session:
            return await is_anothers_session(session, handle, [claim for claim in signed if claim.proof])

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame.get("type"):
            case "message":
                await self._keep(frame)
            case "ack":
                await self._acknowledged(_whole_number(frame.get("seq"), "seq"))
            case "hello":
                raise BadFrame("hello_once", "hello was said already")
            case other:
                raise BadFrame("unknown_type", f"there is no frame of type {str(other)[:40]!r}")

    async def _keep(self, frame: dict[str, Any]) -> None:
        id, text = frame.get("id"), frame.get("text")
        if not isinstance(id, str) or not 0 < len(id) <= 64 or not id.isprintable():
            raise BadFrame("bad_id", "a message has an id of its own, at most 64 characters")
        if not isinstance(text, str) or not text.strip():
            raise BadFrame("empty", "a message has a text")
        if len(text) > LONGEST_TEXT:
            raise BadFrame("too_long", f"a text has at most {LONGEST_TEXT} characters")
        external_id = f"{self._envelope['session']}:{id}"
        async with self._db.transaction() as session:
            kept = await keep(
                session,
                self._channel,
                external_id=external_id,
                raw=orjson.dumps(frame),
                envelope=self._envelope,
            )
            if kept is None and text != await self._text_of(session, external_id):
                raise BadFrame("id_reused", "another message was sent under this id: a new one needs its own")
        await self._say("ack", id=id)

    async def _text_of(self, session: AsyncSession, external_id: str) -> str:
        raw = await session.scalar(
            select(Arrival.raw).where(
                Arrival.channel_id == self._channel.id, Arrival.external_id == external_id
            )
        )
        return str(orjson.loads(raw or b"{}").get("text"))

    async def _acknowledged(self, seq: int) -> None:
        async with self._db.transaction() as session:
            shown = await session.scalars(
                self._messages(Message)
                .where(Message.direction == Direction.OUT, Message.seq <= seq, Message.delivery == "sent")
                .with_for_update(of=Message)
            )
            now = await database_time(session)
            for message in shown.all():
                message.received(at=now, read=False)

    async def _write(self, rung: asyncio.Event) -> None:
        while self._socket.application_state == WebSocketState.CONNECTED:
            rung.clear()
            try:
                messages = await self._unshown()
            except (SQLAlchemyError, OSError) as failure:
                log.warning("chat_waits_for_the_database", error=type(failure).__name__)
                await asyncio.sleep(1)
                continue
            for row in messages:
                await self._show(row)
            await heard(rung, LOOK_AGAIN)

    async def _leave_when_switched_off(self, changed: asyncio.Event) -> None:
        while True:
            changed.clear()
            with suppress(SQLAlchemyError, OSError):
                async with self._db.transaction() as session:
                    if await channel_called(session, ChannelKind.CHAT, self._channel.slug) is None:
                        await self._socket.close(GOING_AWAY)
                        return
            await heard(changed, LOOK_AGAIN)

    async def _unshown(self) -> Sequence[Any]:
        async with self._db.reading() as connection:
            rows = await connection.execute(
                self._messages(
                    Message.seq,
                    Message.external_id,
                    Message.id,
                    Message.direction,
                    Message.text,
                    Message.at,
                    Agent.name,
                )
                .outerjoin(Agent, Agent.id == Message.agent_id)
                .where(Message.seq > self._shown)
                .order_by(Message.seq)
            )
            return rows.all()

    async def _show(self, row: Any) -> None:
        mine = row.direction == Direction.IN
        id = row.external_id.partition(":")[2] if mine else str(row.id)
        said = {
            "seq": row.seq,
            "id": id,
            "from": "visitor" if mine else "agent",
            "text": row.text,
            "at": row.at,
        }
        await self._say("message", **said, **({"author": row.name} if row.name else {}))
        self._shown = row.seq

    def _messages(self, *columns: Any) -> Any:
        reader = visitor(self._channel.id, self._envelope["session"])
        return select(*columns).select_from(Message).where(may_see(Message, reader))

    async def _say(self, type: str, **said: Any) -> None:
        await self._socket.send_text(orjson.dumps({"type": type, **said}).decode())


def _storable(identity: dict[str, Any]) -> dict[str, Any]:
    """A name loses what the database does not take; who somebody is may not change by that."""
    if any(_stored(said) != said for said in (identity.get("sub", ""), identity.get("email", ""))):
        raise IdentityRefused("sub and email hold characters that cannot be stored")
    return {**identity, "name": _stored(identity.get("name", ""))}


def _stored(text: str) -> str:
    """Without NUL and halves of letters."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def _whole_number(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise BadFrame("bad_number", f"{name} is a whole number")
    return value
