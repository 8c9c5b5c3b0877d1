"""The same text again and again: two machines that answer each other, whatever addresses they write from."""

import hashlib
import re
from datetime import timedelta

from sqlalchemy import func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

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
    anybodys = len(_words(message.folded or message.text)) >= LONG
    before = (
        select(Message.id)
        .where(
            Message.digest == message.digest,
            Message.direction == Direction.IN,
            Message.at > message.at - WITHIN,
            Message.id != message.id,
            true()
            if anybodys
            else or_(Message.contact_id == message.contact_id, Message.thread_id == message.thread_id),
        )
        .limit(MOST)
    )
    return (await session.scalar(select(func.count()).select_from(before.subquery()))) == MOST


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", re.sub(r"\d+", "0", text[:_READ].casefold())).strip()
