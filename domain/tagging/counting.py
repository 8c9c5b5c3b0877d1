"""How many open tickets have a tag: all tags of a page in one walk over the open tickets. What is settled costs nothing."""

from collections.abc import Collection

from sqlalchemy import Text, column, func, select, true

from domain.access import may_see
from domain.actors import Actor
from domain.chorus import Reads
from domain.db import one_of
from domain.desk.tickets import Ticket
from domain.finding.conditions import LIVE


async def open_tickets(connection: Reads, tags: Collection[str], *, to: Actor) -> dict[str, int]:
    """As many as `tag:… is:open` lists for the same person; a tag without any is left out."""
    word = (
        func.jsonb_array_elements_text(Ticket.tags)
        .table_valued(column("word", Text))
        .render_derived()
        .lateral()
    )
    counted = (
        select(word.c.word, func.count())
        .select_from(Ticket)
        .join(word, true())
        .where(LIVE, Ticket.merged_into_id.is_(None), Ticket.spam_at.is_(None), may_see(Ticket, to))
        .where(one_of(word.c.word, tags))
        .group_by(word.c.word)
    )
    return {row[0]: row[1] for row in await connection.execute(counted)}
