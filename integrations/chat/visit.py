"""The conversation with one visitor, whichever way its frames come and go. `docs/channels/chat.md` has them all."""

from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import may_see
from domain.actors import visitor
from domain.channels import Channel
from domain.db import Database, database_time
from domain.inbound import Arrival, keep
from domain.keys import Keys
from domain.messages import Direction, Message
from domain.people import is_anothers_session
from domain.staff import Agent
from integrations.chat.identity import IdentityRefused, new_session, session_id, signed_identity
from integrations.chat.payloads import claims
from integrations.chat.widget import ChatWidget

Frame = dict[str, Any]

LONGEST_TEXT = 8000


class BadFrame(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def frame(self) -> Frame:
        return {"type": "error", "code": self.code, "message": str(self)}


class Visit:
    def __init__(self, db: Database, keys: Keys, channel: Channel) -> None:
        self._db = db
        self._keys = keys
        self._channel = channel
        self._shown = 0
        self._envelope: Frame = {}

    @property
    def topic(self) -> str:
        """Rung when there may be something to tell."""
        return f"chat:{self._envelope['session']}"

    async def hello(self, frame: Frame) -> Frame:
        if frame.get("type") != "hello":
            raise BadFrame("hello_first", "the first frame is hello")
        self._shown = _whole_number(frame.get("seq", 0), "seq")
        given = str(frame.get("session") or "")
        slug = self._channel.slug
        session = given if session_id(self._keys, slug, given) else new_session(self._keys, slug)
        said: Frame = {"type": "hello", "session": session}
        envelope: Frame = {"session": session_id(self._keys, slug, session)}
        if token := frame.get("identity"):
            widget = ChatWidget.of(self._channel, self._keys)
            try:
                envelope["identity"] = _storable(
                    signed_identity(widget.identity_key.get_secret_value(), slug, str(token))
                )
            except IdentityRefused as refusal:
                said["refused"] = str(refusal)
        if "identity" in envelope and await self._is_anothers(envelope):
            session = said["session"] = new_session(self._keys, slug)
            envelope["session"] = session_id(self._keys, slug, session)
        if locale := frame.get("locale"):
            envelope["locale"] = _stored(str(locale))[:20]
        self._envelope = envelope
        return said

    async def _is_anothers(self, envelope: Frame) -> bool:
        handle, *signed = claims(self._channel, envelope)
        async with self._db.transaction() as session:
            return await is_anothers_session(session, handle, [claim for claim in signed if claim.proof])

    async def take(self, frame: Frame) -> Frame | None:
        """What the frame is answered with."""
        match frame.get("type"):
            case "message":
                return await self._keep(frame)
            case "ack":
                await self._acknowledged(_whole_number(frame.get("seq"), "seq"))
                return None
            case "hello":
                raise BadFrame("hello_once", "hello was said already")
            case other:
                raise BadFrame("unknown_type", f"there is no frame of type {str(other)[:40]!r}")

    async def _keep(self, frame: Frame) -> Frame:
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
        return {"type": "ack", "id": id}

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

    async def news(self) -> list[Frame]:
        """What was not told yet."""
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
            return [self._told(row) for row in rows]

    def _told(self, row: Any) -> Frame:
        self._shown = row.seq
        mine = row.direction == Direction.IN
        return {
            "type": "message",
            "seq": row.seq,
            "id": row.external_id.partition(":")[2] if mine else str(row.id),
            "from": "visitor" if mine else "agent",
            "text": row.text,
            "at": row.at,
            **({"author": row.name} if row.name else {}),
        }

    def _messages(self, *columns: Any) -> Any:
        reader = visitor(self._channel.id, self._envelope["session"])
        return select(*columns).select_from(Message).where(may_see(Message, reader))


def _storable(identity: Frame) -> Frame:
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
