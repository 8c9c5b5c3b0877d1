"""What docs/api says to paste, pasted: GraphQL, shell, Python and JavaScript, to a real Heddle."""

from pathlib import Path

from sqlalchemy import update

from api.house import House
from domain.desk.tickets import Ticket
from domain.errors import Refused
from tests.capitals import capitals
from tests.client import Client
from tests.papers import DOCS, code
from tests.reading import Reader, a_token, with_node
from tests.two_teams import TwoTeams

FIRST = "api/README.md"
"""Whose samples the others use."""
PAGES = sorted(str(page.relative_to(DOCS)) for page in (DOCS / "api").glob("*.md"))
RECEIVERS = ("receive.py", "receive_with_a_library.py", "receive.mjs")
"""Run for ever: a test of their own starts them."""

OF_THE_COMMAND_LINE = {"DESTROYED"}
OF_REQUESTS = {"INTERNAL", "PERSISTED_QUERY_NOT_FOUND", "HASH_MISMATCH"}
"""Codes of what no refusal of the domain is."""


@with_node
async def test_what_the_pages_say_works(
    house: House, two_teams: TwoTeams, anybody: Client, tmp_path: Path, database_url: str
) -> None:
    anybody.token = await a_token(two_teams.admin)
    settings = {
        "HEDDLE_DATABASE_URL": database_url,
        "HEDDLE_SECRET_KEY": "a secret for tests that is long enough",
    }
    async with house.db.transaction() as session:
        await session.execute(update(Ticket).values(undecided=False))  # its complaint was decided
    words = await capitals(house, two_teams)
    reader = Reader(anybody, two_teams.admin, tmp_path, words, settings)

    wrong = []
    for page in sorted(PAGES, key=lambda page: page != FIRST):
        for one in code(page):
            if one.is_run and one.file not in RECEIVERS:
                trouble = await reader.runs(one)
                wrong += [f"{page}: {one.text[:80]!r}: {trouble}"] if trouble else []

    assert wrong == []


def test_every_code_of_a_refusal_stands_in_the_page_on_errors() -> None:
    rows = [line for line in (DOCS / "api/errors.md").read_text().splitlines() if line.startswith("| `")]
    shown = [row.split("`")[1] for row in rows]

    assert len(shown) == len(set(shown))
    assert set(shown) == _codes(Refused) - OF_THE_COMMAND_LINE | OF_REQUESTS


def _codes(refusal: type[Refused]) -> set[str]:
    own = {refusal.code} if "code" in vars(refusal) else set()
    return own.union(*map(_codes, refusal.__subclasses__()))
