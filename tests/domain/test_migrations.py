from domain.db import Database
from domain.migrations import differences


async def test_the_migrations_make_what_the_models_say(db: Database) -> None:
    assert await differences(db) == []
