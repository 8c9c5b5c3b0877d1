"""One database server for the whole run (HEDDLE_TEST_DATABASE_URL names another), one database for each worker."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from api.logs import log_to_stderr
from api.memory import settled
from domain.agents import passwords
from domain.db import Database
from domain.keys import Keys
from domain.migrations import migrate
from domain.operations.postgres import embedded
from domain.writing import Writing
from tests.browser import browser, phone  # noqa: F401 - fixtures
from tests.client import QUICK
from tests.doors import admin, anybody, ben, door, eve, house, mia, porch  # noqa: F401 - fixtures
from tests.integrations.mailing import mailing  # noqa: F401 - a fixture
from tests.two_teams import two_teams  # noqa: F401 - a fixture

SERVER = "HEDDLE_TEST_DATABASE_URL"
TEMPLATE = "template"

# Most tables are empty: to look takes a tenth of the time of a TRUNCATE of all. One that has grown is truncated.
WIPE = """
DO $$
DECLARE
    place regclass;
    filled bool;
BEGIN
    FOR place IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', place) INTO filled;
        IF pg_relation_size(place) > 400000 THEN
            EXECUTE format('TRUNCATE %s CASCADE', place);
        ELSIF filled THEN
            EXECUTE format('DELETE FROM %s', place);
        END IF;
    END LOOP;
END $$"""

_server = ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the long proofs too")


def pytest_configure(config: pytest.Config) -> None:
    log_to_stderr()
    # httpx looks for it some five times a request; what is not there is looked for in every folder, and by pytest before that.
    sys.modules.setdefault("sniffio", cast(ModuleType, None))
    passwords._hasher = QUICK  # how strong the real one is, `tests/api/test_cli.py` asks a process of its own
    if hasattr(config, "workerinput") or os.environ.get(SERVER):
        return
    for name in [name for name in os.environ if name.startswith("HEDDLE_")]:
        del os.environ[name]  # no test depends on what is set outside
    folder = Path(tempfile.mkdtemp(prefix="heddle-tests-"))
    folder.chmod(0o711)
    _server.callback(shutil.rmtree, folder, ignore_errors=True)
    os.environ[SERVER] = _server.enter_context(embedded(folder, durable=False))
    _server.callback(os.environ.pop, SERVER)


def pytest_unconfigure(config: pytest.Config) -> None:
    _server.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: "journeys" not in item.path.parts
    )  # the longest first, so that none is left over at the end
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="a long proof: --slow runs it"))


def pytest_collection_finish() -> None:
    settled()


@pytest.fixture(scope="session")
async def database_url(worker_id: str) -> str:
    """An address for this worker's own database; beside it lies one whose tables are up to date and empty."""
    url = make_url(os.environ[SERVER]).set(database=f"test_{worker_id}").render_as_string(hide_password=False)
    template = Database(await empty_database(url, TEMPLATE))
    await migrate(template)
    await template.close()
    return url


@pytest.fixture(scope="session")
async def db(database_url: str) -> AsyncIterator[Database]:
    await _create(database_url, like=_name(_beside(database_url, TEMPLATE)))
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


async def another_database(url: str, name: str) -> str:
    """The address of one beside that of the worker, for a test of that name: all tables, and nothing in them."""
    address = _beside(url, name)
    await _create(address, like=_name(_beside(url, TEMPLATE)))
    return address


async def empty_database(url: str, name: str) -> str:
    """The same without any table."""
    address = _beside(url, name)
    await _create(address, like="template1")
    return address


def _beside(url: str, name: str) -> str:
    own = make_url(url)
    return own.set(database=f"{own.database}_{name}").render_as_string(hide_password=False)


def _name(url: str) -> str | None:
    return make_url(url).database


async def _create(url: str, *, like: str | None) -> None:
    """A copy of the one of that name. Whatever was there before is gone."""
    name = _name(url)
    server = create_async_engine(os.environ[SERVER], isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        await connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'))
    await server.dispose()


@pytest.fixture
async def session(db: Database) -> AsyncIterator[AsyncSession]:
    """A transaction that is rolled back: for tests of the domain."""
    async with Writing(db.engine, expire_on_commit=False) as session:
        await session.begin()
        yield session
        await session.rollback()


@pytest.fixture
async def clean(db: Database) -> AsyncIterator[Database]:
    """For tests that commit: what they wrote is wiped before the next."""
    yield db
    async with db.engine.begin() as connection:
        await connection.execute(
            text("SET LOCAL session_replication_role = replica")
        )  # the audit is append-only
        await connection.execute(text(WIPE))


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys("a secret for tests that is long enough")


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine where nothing is set: no HEDDLE_… variable, no .env."""
    for name in [name for name in os.environ if name.startswith("HEDDLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return
