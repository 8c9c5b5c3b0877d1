"""Does everything land with its person and its matter? The answers are in stories/*.toml, the rules in README.md.

The table and the differences come with a failure. To see them at any time, or for some files only:
`.venv/bin/python -m tests.joining [file…]`.
"""

from collections import Counter

import pytest

from domain.db import Database
from domain.keys import Keys
from domain.writing import Writing
from tests.joining.corpus import LANGUAGES, Story, load
from tests.joining.judging import Verdict, differences, judge, table, total
from tests.joining.playing import play

RECALL = 0.95
PRECISION = 0.995
OF_A_SAMPLE = 0.985
"""It may have most of the few that are joined wrongly."""


@pytest.mark.parametrize("one_in", [8, pytest.param(1, marks=pytest.mark.slow)])
async def test_every_story_ends_with_the_contacts_and_tickets_that_it_tells(
    db: Database, keys: Keys, one_in: int
) -> None:
    verdicts = await played(db, keys, load()[::one_in])

    score = total(verdicts)
    seen = f"\n{table(verdicts)}\n\n{differences(verdicts)}\n"
    assert score.wrong_person == 0, f"two people in one contact or ticket\n{seen}"
    assert score.recall >= RECALL, f"too much stays apart\n{seen}"
    assert score.precision >= (PRECISION if one_in == 1 else OF_A_SAMPLE), f"too much is joined\n{seen}"


def test_the_corpus_is_broad() -> None:
    stories = load()
    languages = Counter(story.lang for story in stories)

    assert len(stories) >= 320
    assert all(languages[language] >= 75 for language in LANGUAGES)
    assert len({story.name for story in stories}) == len(stories)


async def played(db: Database, keys: Keys, stories: list[Story]) -> list[Verdict]:
    verdicts = []
    for story in stories:
        async with Writing(db.engine, expire_on_commit=False) as session:
            ending = await play(session, keys, story)
            await session.rollback()
        verdicts.append(judge(story, ending))
    return verdicts
