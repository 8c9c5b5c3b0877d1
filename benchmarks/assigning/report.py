"""What became of the day, as a table."""

import random

from benchmarks.assigning.day import CAPACITY, a_day
from benchmarks.assigning.judging import furthest
from benchmarks.assigning.playing import Play
from benchmarks.bench import Table, number
from benchmarks.report import ASSIGNING
from domain.db import Database
from domain.migrations import migrate

SEED = 7
TICKETS, PEOPLE = 2_000, 12
APART = 0.10
"""Of a fair share, at most."""


async def measured(url: str) -> tuple[Table, bool]:
    """The day, and whether all of it held."""
    db = Database(url)
    try:
        await migrate(db)
        play = Play(db, a_day(random.Random(SEED), tickets=TICKETS, people=PEOPLE), random.Random(SEED))
        await play.run()
        return table(play), holds(play)
    finally:
        await db.close()


def holds(play: Play) -> bool:
    judge = play.judge
    apart = furthest(judge.given, judge.fair(), [person.name for person in play.day.people])
    return not judge.wrong and not judge.waiting and play.kills > 0 and apart <= APART


def table(play: Play) -> Table:
    judge, fair = play.judge, play.judge.fair()
    rows = [
        (
            person.name,
            f"{person.begins:02}–{person.ends:02}",
            " ".join(sorted(person.languages)),
            " ".join(person.skills) or "–",
            number(judge.given[person.name], 0),
            number(fair[person.name]),
            f"{100 * (judge.given[person.name] / fair[person.name] - 1):+.1f} %",
            f"{judge.peak[person.name]} of {CAPACITY}",
        )
        for person in play.day.people
    ]
    columns = ("who", "shift", "speaks", "skill", "given", "fair share", "apart", "most at once")
    note = (
        f"{len(play.day.cases):,} tickets, {sum(judge.given.values()):,} times given, {judge.handed_back} handed back (shifts that "
        f"ended, lunch, one ill from late morning on, one who left the shop), {play.kills} workers killed in the midst of a "
        f"transaction. Wrong: {len(judge.wrong)} (over capacity, given to who could not have it, given twice, left waiting while "
        f"somebody was free). The longest wait was {judge.longest_wait / 60:.0f} min; at the end {len(judge.waiting)} waited. A fair "
        f"share is the most even spread, half an hour by half an hour, among those who could have each ticket."
    )
    return Table(ASSIGNING, columns, rows, note)
