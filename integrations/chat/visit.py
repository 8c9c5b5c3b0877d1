"""The conversation with one visitor, whichever way its frames come and go. `docs/channels/chat.md` has them all."""

import time
import uuid
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import may_see
from domain.actors import visitor
from domain.answering.typing import typing_of_visitor
from domain.arriving.inbound import Arrival, keep
from domain.customers.people import is_anothers_session
from domain.customers.visitors import TooMany, Visitor, held_visitor, leaves, visitor_of
from domain.db import Json, database_time, ring
from domain.desk.messages import Attachment, DeliveryState, Direction, Message
from domain.desk.threads import Thread
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel
from domain.ways_in.office_hours import hours_of, opens_at
from integrations.chat.answers import check_complete, read_answers, still_to_ask, told
from integrations.chat.forms import File, digest_of
from integrations.chat.frames import BadFrame, Frame, message_id, message_text, whole_number
from integrations.chat.identity import IdentityRefused, new_session, new_ticket, session_id, signed_identity
from integrations.chat.links import link
from integrations.chat.pages import page_of
from integrations.chat.payloads import claims
from integrations.chat.rating import rate
from integrations.chat.reception import Reception
from integrations.chat.widget import ChatWidget
from integrations.storable import storable


class Visit:
    def __init__(self, reception: Reception, channel: Channel, *, address: str | None) -> None:
        self._house = reception
        self._db = reception.db
        self._keys = reception.keys
        self.channel = channel
        self.widget = ChatWidget.of(channel, reception.keys)
        self.address = address
        self.key = ""
        """The session's name; "" until there is one."""
        self.shown = 0
        self._session = ""
        self._locale: str | None = None
        self._page: Json | None = None
        self._trapped = False

    async def hello(self, frame: Frame) -> Frame:
        if frame.get("type") != "hello":
            raise BadFrame("hello_first", "the first frame is hello")
        shown = whole_number(frame, "seq", otherwise=0)
        answers = read_answers(self.widget, frame.get("answers"))
        given = str(frame.get("session") or "")
        key = session_id(self._keys, self.channel.slug, given)
        if key and not await self._house.has_left(self.channel, key):
            self._session, self.key = given, key
        else:
            self._begin_anew()
        self.shown = shown
        self._turn_to(frame)
        refused = await self._identified(str(token)) if (token := frame.get("identity")) else None
        if answers:
            async with self._db.transaction() as session:
                row = await self._held(session)
                row.answers = row.answers | answers
        return await self._greeting(refused)

    async def come_back(self, session: str) -> None:
        """Somebody who was here before, as a request says."""
        key = session_id(self._keys, self.channel.slug, session)
        if key is None or await self._house.has_left(self.channel, key):
            raise BadFrame("no_session", "this is no session of this channel: say hello first")
        self._session, self.key = session, key

    async def check_room(self) -> None:
        """Before a file is read: may one come at all?"""
        async with self._db.transaction() as session:
            row = await visitor_of(session, self.channel.id, self.key)
            seconds = row.file_in(room=self.widget.room(), at=await database_time(session)) if row else 0
        if seconds:
            raise BadFrame("too_many_files", "wait a while, then send it again", retryAfter=seconds)

    async def take(self, frame: Frame) -> Frame | None:
        """What the frame is answered with."""
        match frame.get("type"):
            case "message":
                return await self.keep(frame)
            case "ack":
                await self._receives(whole_number(frame, "seq"), read=False)
            case "read":
                await self._receives(whole_number(frame, "seq"), read=True)
            case "typing":
                await self._types()
            case "page":
                self._turn_to({"page": frame})
            case "identify":
                return await self._greeting(await self._identified(str(frame.get("identity") or "")))
            case "logout":
                return await self._leaves()
            case "file":
                return await self._linked(frame)
            case "rating":
                return await self._rates(frame)
            case "hello":
                raise BadFrame("hello_once", "hello was said already")
            case other:
                raise BadFrame("unknown_type", f"there is no frame of type {str(other)[:40]!r}")
        return None

    async def keep(
        self, frame: Frame, files: tuple[File, ...] = (), form: tuple[bytes, str] | None = None
    ) -> Frame:
        """`form`: the body as it came and its boundary, where the message has files."""
        id = message_id(frame)
        try:
            await self._keep(id, frame, files, form)
        except BadFrame as bad:
            bad.said["id"] = id
            raise
        return {"type": "ack", "id": id}

    async def _keep(
        self, id: str, frame: Frame, files: tuple[File, ...], form: tuple[bytes, str] | None
    ) -> None:
        text = message_text(frame, may_be_empty=bool(files))
        answers = read_answers(self.widget, frame.get("answers"))
        self._turn_to(frame)
        try:
            raw = orjson.dumps({name: said for name, said in frame.items() if name != "session"})
        except orjson.JSONEncodeError:
            raise BadFrame("not_json", "a frame is not nested that deep") from None
        external_id = f"{self.key}:{id}"
        async with self._db.transaction() as session:
            row = await self._held(session)
            row.answers = row.answers | answers
            envelope = self._envelope(row) | {"said": digest_of(text, files)}
            kept = await keep(
                session,
                self.channel,
                external_id=external_id,
                raw=form[0] if form else raw,
                envelope=envelope | ({"form": form[1]} if form else {}),
            )
            if kept is None:
                if not await self._was_said(session, external_id, envelope["said"]):
                    raise BadFrame(
                        "id_reused", "another message was sent under this id: a new one needs its own"
                    )
                return
            await self._let_in(session, row, len(files))
            self._house.keeps(self.channel, self.widget, self.address, len(form[0] if form else raw))
        self._page = None

    async def _let_in(self, session: AsyncSession, row: Visitor, files: int) -> None:
        """Raises for whom may not write, or not now: then nothing is kept."""
        if not self.widget.anonymous and not row.identity:
            raise BadFrame("identify_first", "visitors of this channel have to be identified")
        if row.wrote_at is None:
            check_complete(self.widget, row.answers, row.identity)
        try:
            row.writes(files=files, room=self.widget.room(), at=await database_time(session))
        except TooMany as much:
            raise BadFrame(
                f"too_many_{much}", "wait a while, then send it again", retryAfter=much.seconds
            ) from None

    def _envelope(self, row: Visitor) -> Json:
        """Who said it, for `payloads.py`. Answers come along with the first message, a page with the first that is said there."""
        asked = told(self.widget, row.answers, row.locale) if row.wrote_at is None else []
        said = {
            "session": self.key,
            "identity": row.identity,
            "locale": row.locale,
            "page": self._page,
            "answers": asked,
            "trap": self._trapped,
        }
        return {name: value for name, value in said.items() if value}

    async def _was_said(self, session: AsyncSession, external_id: str, digest: str) -> bool:
        envelope = await session.scalar(
            select(Arrival.envelope).where(
                Arrival.channel_id == self.channel.id, Arrival.external_id == external_id
            )
        )
        return bool((envelope or {}).get("said", digest) == digest)

    async def _held(self, session: AsyncSession) -> Visitor:
        row = await held_visitor(session, self.channel.id, self.key)
        row.locale = self._locale or row.locale
        return row

    async def _leaves(self) -> Frame:
        """Also where no other session may begin now."""
        before = self.key
        try:
            self._begin_anew()
        finally:
            async with self._db.transaction() as session:
                await leaves(session, self.channel.id, before)
        self._locale, self._page = None, None
        return await self._greeting(None)

    def _begin_anew(self) -> None:
        self._house.begins(self.channel, self.widget, self.address)
        self._new_session()

    def _new_session(self) -> None:
        session = new_session(self._keys, self.channel.slug)
        self._session, self.shown = session, 0
        self.key = session_id(self._keys, self.channel.slug, session) or ""

    async def _identified(self, token: str) -> str | None:
        """Why not. Who signs in on another's session goes on in a new one, and so does who signs in where nothing was said yet:
        whoever had the browser before may have kept that session."""
        slug, keys = self.channel.slug, self.widget.accepted("identity_key")
        try:
            identity = signed_identity(keys, slug, token)
        except IdentityRefused as refusal:
            return str(refusal)
        async with self._db.transaction() as session:
            row = await visitor_of(session, self.channel.id, self.key)
            if row and row.identity == identity:
                return None
            signed_in_before = row.identity.get("sub") if row else None
            is_silent = signed_in_before is None and (row is None or row.wrote_at is None)
            is_theirs = signed_in_before in (None, identity["sub"])
            if is_silent or not is_theirs or await self._is_anothers(session, identity):
                self._new_session()
            (await self._held(session)).identity = identity
        return None

    async def _is_anothers(self, session: AsyncSession, identity: Json) -> bool:
        handle, *signed = claims(self.channel, {"session": self.key, "identity": identity})
        return await is_anothers_session(session, handle, [claim for claim in signed if claim.proof])

    async def _greeting(self, refused: str | None) -> Frame:
        async with self._db.transaction() as session:
            now = await database_time(session)
            row = await visitor_of(session, self.channel.id, self.key)
            hours = await hours_of(session, self.channel)
        opens, identity = opens_at(hours, now), row.identity if row else {}
        to_ask = []
        if row is None or row.wrote_at is None:
            answers = row.answers if row else {}
            to_ask = still_to_ask(
                self.widget, answers, identity, self._locale or (row.locale if row else None)
            )
        return {
            "type": "hello",
            "session": self._session,
            "ticket": new_ticket(self._keys, self.channel.slug, self.key, now=time.time()),
            "open": hours is None or hours.is_open(now),
            **({"opensAt": opens} if opens else {}),
            "identified": bool(identity),
            "mayWrite": self.widget.anonymous or bool(identity),
            "fields": to_ask,
            **({"refused": refused} if refused else {}),
        }

    def _turn_to(self, frame: Frame) -> None:
        """What is said beside the words."""
        if locale := frame.get("locale"):
            self._locale = storable(str(locale))[:20]
        self._page = page_of(frame.get("page")) or self._page
        self._trapped = self._trapped or bool(frame.get("website"))

    async def _types(self) -> None:
        if not self._house.types(self.key):
            return
        async with self._db.transaction() as session:
            handle, *_ = claims(self.channel, {"session": self.key})
            ticket_id = await session.scalar(
                select(Thread.ticket_id).where(
                    Thread.channel_id == self.channel.id, Thread.key == self.key, Thread.ended_at.is_(None)
                )
            )
            if ticket_id and not await blocked_as(session, handle):
                ring(session, typing_of_visitor(ticket_id))

    async def _rates(self, frame: Frame) -> Frame:
        self._house.rates(self.key)
        async with self._db.transaction() as session:
            return await rate(session, self.channel, self.key, frame)

    async def _receives(self, seq: int, *, read: bool) -> None:
        before = [DeliveryState.SENT, *([DeliveryState.DELIVERED] if read else [])]
        async with self._db.transaction() as session:
            theirs = may_see(Message, visitor(self.channel.id, self.key))
            shown = await session.scalars(
                select(Message)
                .where(theirs, Message.direction == Direction.OUT, Message.seq <= seq)
                .where(Message.delivery.in_(before))
                .order_by(Message.seq)
                .with_for_update(of=Message)
            )
            now = await database_time(session)
            for message in shown.all():
                message.received(at=now, read=read)

    async def _linked(self, frame: Frame) -> Frame:
        try:
            id = uuid.UUID(str(frame.get("id")))
        except ValueError:
            raise BadFrame("no_file", "there is no such file") from None
        async with self._db.transaction() as session:
            theirs = may_see(Attachment, visitor(self.channel.id, self.key))
            found: Any = await session.scalar(
                select(Attachment.id).where(Attachment.id == id, Attachment.file.is_not(None), theirs)
            )
        if found is None:
            raise BadFrame("no_file", "there is no such file")
        url = link(self._house.base_url, self._keys, self.channel.slug, self.key, id)
        return {"type": "file", "id": str(id), "url": url}
