"""What customers wrote is found by what somebody in the shop would type: `stories.toml`."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.finding.conditions import Asking
from domain.finding.query import parse
from domain.finding.searching import SearchKind, search
from domain.keys import Keys
from tests.factories import NOON
from tests.finding.playing import play, stories


async def test_what_was_meant_is_found_however_it_is_typed(session: AsyncSession, keys: Keys) -> None:
    played = await play(session, keys)
    connection = await session.connection()

    wrong = []
    for asked in stories()["asked"]:
        hits = await search(
            connection, parse(asked["text"]), kinds=set(SearchKind), to=SYSTEM, asking=Asking(NOON), first=100
        )
        found = {played.story_of[hit.id] for hit in hits}
        missing, false = set(asked["finds"]) - found, set(asked.get("not", [])) & found
        if missing or false or (not asked["finds"] and found):
            wrong.append(f"{asked['text']}: misses {sorted(missing)}, finds {sorted(found)}")

    assert not wrong, "\n" + "\n".join(wrong)
    assert len(stories()["asked"]) >= 60
