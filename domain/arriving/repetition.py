"""The same text again and again: two machines that answer each other, whatever addresses they write from."""

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.abreast import asked
from domain.db import one_of
from domain.desk.messages import Direction, Message

WITHIN = timedelta(hours=1)
MOST = 5
"""Of one text within that time. What comes above is kept, is not acknowledged, and reopens nothing."""
LONG = 60
"""Letters of a text that two people do not write by chance; *Thank you* is counted for each contact alone."""
_READ = 10_000


def digest_of(text: str) -> str | None:
    """Of the words, whatever numbers stand between them; none for a text without any."""
    words = _words(text)
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:32] if words else None


async def is_repeated(session: AsyncSession, message: Message) -> bool:
    """Has the text of this message, which has just come in, come too often?"""
    if message.digest is None:
        return False
    is_anybodys = len(_words(message.folded or message.text)) >= LONG
    return await asked(session, _repeated, (message.id, is_anybodys))


Asking = tuple[uuid.UUID, bool]
"""A message, and whether it counts who else says the same."""


async def _repeated(session: AsyncSession, many: Sequence[Asking]) -> Mapping[Asking, bool]:
    said, before = aliased(Message), aliased(Message)
    anybodys = [id for id, is_anybodys in many if is_anybodys]
    earlier = (
        select(before.id)
        .where(
            before.digest == said.digest,
            before.direction == Direction.IN,
            before.at > said.at - WITHIN,
            before.seq < said.seq,
            or_(
                one_of(said.id, anybodys),
                before.contact_id == said.contact_id,
                before.thread_id == said.thread_id,
            ),
        )
        .limit(MOST)
        .correlate(said)
        .subquery()
    )
    times = select(func.count()).select_from(earlier).scalar_subquery()
    rows = await session.execute(select(said.id, times).where(one_of(said.id, [id for id, _ in many])))
    counted = {id: count for id, count in rows}
    return {(id, is_anybodys): counted[id] == MOST for id, is_anybodys in many}


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", re.sub(r"\d+", "0", text[:_READ].casefold())).strip()
