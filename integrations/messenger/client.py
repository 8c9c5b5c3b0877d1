"""An answer on its way to Messenger: its words first, then each of its files, a call each, and none of them twice.

Where it is not known whether a call came through, Meta's echo tells, and so does the conversation as Graph has it; only if
neither does, a person has to look.
"""

from datetime import datetime, timedelta
from typing import Any

import orjson
from fbmessenger import MessengerClient
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import array

from domain.answering import reply_windows
from domain.answering.delivery_problems import Problem
from domain.answering.receipts import parts_of
from domain.desk.messages import Attachment, Message
from integrations.messenger.graph import UPLOAD_TIMEOUT, Graph
from integrations.messenger.page import MessengerPage
from integrations.messenger.payloads import mark
from integrations.messenger.refusals import GraphError, Unclear, Unreached
from integrations.outbound import (
    AwaitsWord,
    ChannelRefused,
    Handed,
    Letter,
    MaybeSent,
    MayHaveArrived,
    Means,
    SendFailed,
    SendRefused,
)

SETTLES = timedelta(seconds=15)
"""How soon after a call Graph's own list of the conversation may still lack what it brought."""
ECHO_COMES = timedelta(minutes=2)
LOOKS_AGAIN = 10.0
SKEW = timedelta(minutes=1)
"""Between Meta's clock and ours."""

PICTURES = ("image/jpeg", "image/png", "image/gif")


async def send(letter: Letter, means: Means) -> Handed:
    """The next part that has not left; with Graph's id of it."""
    if letter.to is None:
        raise SendRefused("nobody to send it to")
    page = MessengerPage.of(letter.channel, means.keys)
    graph = Graph.of(page, means.settings)
    part = _next_part(letter)
    more = part < len(letter.attachments)
    if letter.maybe_sent and (id := await _is_there(graph, page, letter, letter.to.value, means, part=part)):
        return Handed(id, part=part, more=more)
    how = _messaging(letter)
    try:
        content = (
            {"text": letter.text}
            if part == 0
            else await _uploaded(graph, letter.attachments[part - 1], means)
        )
    except GraphError as refusal:
        raise refusal.for_sending(letter.message.failures) from refusal
    except (Unreached, Unclear) as failure:  # of a file nobody is told: it is brought again
        raise SendFailed(str(failure), problem=Problem.DOWN) from failure
    payload = {**content, "metadata": mark(letter.message.id, part)}
    person = letter.to.value

    def call(client: MessengerClient) -> Any:
        return client.send(payload, person, **how)

    try:
        answer = await graph.do(call)
    except GraphError as refusal:
        raise refusal.for_sending(letter.message.failures) from refusal
    except Unreached as failure:
        raise SendFailed(str(failure), problem=Problem.DOWN) from failure
    except Unclear as failure:
        raise MaybeSent(str(failure), problem=Problem.DOWN) from failure
    if not answer.get("message_id"):
        raise MaybeSent("the answer names no message", problem=Problem.DOWN)
    return Handed(str(answer["message_id"]), part=part, more=more)


def _next_part(letter: Letter) -> int:
    """The words are the first, files without words begin with the second."""
    left, first = parts_of(letter.message.particulars), 0 if letter.text else 1
    return next(part for part in range(first, len(letter.attachments) + 1) if str(part) not in left)


def _messaging(letter: Letter) -> dict[str, str]:
    """By which of Meta's rules it may leave now. The window may have closed while it waited."""
    if reply_windows.is_open(letter.last_inbound_at, letter.at):
        return {"messaging_type": "RESPONSE"}
    message = letter.message
    by_person = message.agent_id is not None and not message.automatic
    marked = by_person and bool((message.particulars or {}).get("human_agent"))
    if reply_windows.is_open(letter.last_inbound_at, letter.at, human_agent=marked):
        return {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    raise SendRefused("", problem=Problem.WINDOW_CLOSED)


async def _uploaded(graph: Graph, attached: Attachment, means: Means) -> dict[str, Any]:
    if attached.file is None:
        raise SendRefused(attached.name, problem=Problem.FILE_REFUSED)
    told = {"attachment": {"type": _kind(attached.mime), "payload": {"is_reusable": False}}}
    content = await means.files.get(attached.file)
    answer = await graph.post(
        "me/message_attachments",
        data={"message": orjson.dumps(told).decode()},
        files={"filedata": (attached.name, content, attached.mime)},
        timeout=UPLOAD_TIMEOUT,
    )
    if not answer.get("attachment_id"):
        raise Unclear("the answer names no attachment")
    payload = {"attachment_id": str(answer["attachment_id"])}
    return {"attachment": {"type": _kind(attached.mime), "payload": payload}}


def _kind(mime: str) -> str:
    if mime in PICTURES:
        return "image"
    kind = mime.partition("/")[0]
    return kind if kind in ("audio", "video") else "file"


async def _is_there(
    graph: Graph, page: MessengerPage, letter: Letter, person: str, means: Means, *, part: int
) -> str | None:
    """Graph's id of what an earlier call brought, none if it brought nothing; raises where that is not known yet, or never."""
    tried_at = letter.maybe_sent or letter.at
    try:
        conversation = await graph.get(
            f"{page.page_id}/conversations",
            platform="messenger",
            user_id=person,
            fields="messages.limit(25){id,message,from,created_time}",
        )
    except GraphError as refusal:
        if refusal.problem == Problem.SIGN_IN_NEEDED:
            raise ChannelRefused(refusal.words, after=refusal.after, problem=refusal.problem) from refusal
        if refusal.problem in (Problem.BUSY, Problem.DOWN):
            raise AwaitsWord(refusal.words, after=refusal.after or LOOKS_AGAIN) from refusal
        if letter.at - tried_at < ECHO_COMES:  # we are not let in: only its echo can tell
            raise AwaitsWord("waiting for its echo", after=LOOKS_AGAIN) from refusal
        raise MayHaveArrived(refusal.words) from refusal
    except (Unreached, Unclear) as failure:
        raise AwaitsWord(str(failure)) from failure
    text = letter.text if part == 0 else ""
    said = [
        str(one["id"])
        for group in conversation.get("data") or ()
        for one in (group.get("messages") or {}).get("data") or ()
        if str((one.get("from") or {}).get("id")) == page.page_id
        and (one.get("message") or "").split() == text.split()
        and _since(one.get("created_time"), letter.message.at - SKEW)
    ]
    known = await _known(letter, said, means, part=part)
    if fresh := [id for id in said if id not in known]:
        return fresh[-1]  # Graph lists the newest first
    if letter.at - tried_at < SETTLES:
        raise AwaitsWord("not in the conversation yet", after=LOOKS_AGAIN)
    return None


def _since(created: Any, at: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(created)) >= at
    except (ValueError, TypeError):
        return False


async def _known(letter: Letter, ids: list[str], means: Means, *, part: int) -> set[str | None]:
    """Those of other messages, and of this one's other parts: the same words may have been said twice."""
    if not ids:
        return set()
    async with means.db.transaction() as session:
        found = await session.execute(
            select(Message.id, Message.external_id, Message.particulars).where(
                Message.channel_id == letter.channel.id,
                or_(
                    Message.external_id.in_(ids),
                    (Message.thread_id == letter.thread.id) & Message.particulars["mids"].has_any(array(ids)),
                ),
            )
        )
        known = set[str | None]()
        for id, own, particulars in found:
            parts = parts_of(particulars)
            of_it = {own, *(one["id"] for one in parts.values())}
            told = parts.get(str(part)) if id == letter.message.id else None  # by an echo, just now
            known |= of_it - {told["id"]} if told else of_it
        return known
