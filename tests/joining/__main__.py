"""`python -m tests.joining [file…]`: plays the stories in a database of their own, and shows how they ended."""

import asyncio
import sys
import tempfile
from pathlib import Path

from domain.db import Database
from domain.keys import Keys
from domain.migrations import migrate
from domain.operations.postgres import embedded
from tests.joining.corpus import load
from tests.joining.judging import differences, table
from tests.joining.test_stories import played


async def show(url: str, *files: str) -> None:
    db = Database(url)
    await migrate(db)
    await db.open()
    verdicts = await played(db, Keys("a secret for tests that is long enough"), load(*files))
    await db.close()
    sys.stdout.write(f"{differences(verdicts)}\n\n{table(verdicts)}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="heddle-stories-") as folder:
        Path(folder).chmod(0o711)
        with embedded(Path(folder), durable=False) as url:
            asyncio.run(show(url, *(Path(name).stem for name in sys.argv[1:])))
