"""A survey in the chat: a message that has buttons, and the frame `rating` by which one of them is pressed."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.access import may_see
from domain.actors import visitor
from domain.db import database_time, one_of
from domain.desk.messages import Message
from domain.feedback import wording
from domain.feedback.asking import SURVEY
from domain.feedback.requests import LONGEST_WORDS, AnsweredBy, SurveyRequest, held_request
from domain.feedback.scales import SCORES
from domain.ways_in.channels import Channel
from integrations.chat.frames import BadFrame, Frame, whole_number
from integrations.storable import storable


async def surveys_of(connection: AsyncConnection, rows: Sequence[Any]) -> dict[uuid.UUID, Frame]:
    """What those of the messages say that ask, by their ids; `rows` have their particulars."""
    asking = [row.id for row in rows if SURVEY in (row.particulars or {})]
    if not asking:
        return {}
    found = await connection.execute(
        select(SurveyRequest.__table__).where(one_of(SurveyRequest.item_id, asking))
    )
    return {row.item_id: _shown(row) for row in found}


def _shown(row: Any) -> Frame:
    answers = [
        {
            "score": score,
            "label": wording.label(row.scale, score),
            "meaning": wording.meaning(row.scale, score, row.language),
        }
        for score in SCORES[row.scale]
    ]
    given = {} if row.score is None else {"score": row.score}
    return {"id": str(row.id), "kind": row.kind, "answers": answers, **given}


async def rate(session: AsyncSession, channel: Channel, key: str, frame: Frame) -> Frame:
    """The same score twice is one answer; another one takes its place, as long as that may be."""
    id, score, words = _named(frame), whole_number(frame, "score"), _words(frame)
    theirs = may_see(Message, visitor(channel.id, key))
    asked = select(SurveyRequest.id).join(Message, Message.id == SurveyRequest.item_id)
    known = await session.scalar(asked.where(SurveyRequest.id == id, theirs))
    found = await held_request(session, known) if known else None
    if found is None:
        raise BadFrame("no_survey", "there is no such survey")
    request, ticket = found
    now = await database_time(session)
    if not request.offers(score):
        raise BadFrame("bad_score", "this is none of the answers")
    if not request.takes_answers(at=now):
        raise BadFrame("survey_over", "it cannot be answered any more")
    request.answer(ticket, score=score, words=words, by=AnsweredBy.CHAT, at=now)
    return {"type": "rating", "survey": str(request.id), "score": score}


def _named(frame: Frame) -> uuid.UUID:
    try:
        return uuid.UUID(str(frame.get("survey")))
    except ValueError:
        raise BadFrame("no_survey", "there is no such survey") from None


def _words(frame: Frame) -> str | None:
    words = frame.get("text")
    if words is None:
        return None
    if not isinstance(words, str) or len(words) > LONGEST_WORDS:
        raise BadFrame("too_long", f"a text has at most {LONGEST_WORDS} characters")
    return storable(words)
