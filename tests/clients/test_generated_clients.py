"""Clients that generators make of the schema and of what our screens ask: their types hold, and they get answers."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
from graphql import parse, print_ast

from api.explorer.samples import samples
from tests.api.test_operations import NOT_YET
from tests.papers import code
from tests.reading import NODE, a_token, with_node
from tests.two_teams import TwoTeams

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
UV = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
LONGEST = 300

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place that is to a client as the repository is: `../../schema.graphql` and `../../docs/operations`."""
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    operations = tmp_path / "docs/operations"
    operations.mkdir(parents=True)
    definitions = {
        print_ast(node): None
        for one in samples()
        if one.name not in NOT_YET
        for node in parse(one.query).definitions
    }
    (operations / "all.graphql").write_text("\n".join(definitions))
    return tmp_path


async def run(folder: Path, *command: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(LONGEST):
        said = (await process.communicate())[0].decode()
    assert process.returncode == 0, f"{command}: {said}"
    return said


async def test_a_client_in_python(two_teams: TwoTeams, door: str, folder: Path) -> None:
    here = folder / "clients/python"
    shutil.copytree(CLIENTS / "python", here, ignore=shutil.ignore_patterns("heddle_client"))
    await run(here, UV, "venv", "--quiet", "--python", sys.executable, "made")
    await run(here, UV, "pip", "sync", "--quiet", "--python", "made", "--require-hashes", "requirements.lock")
    (sample,) = [one for one in code("api/clients.md") if "heddle_client" in one.text]
    (here / "sample.py").write_text(sample.text)

    await run(here, "made/bin/ariadne-codegen")
    await run(here, "made/bin/mypy", "heddle_client", "sample.py")
    token = await a_token(two_teams.admin)
    said = await run(here, "made/bin/python", "sample.py", HEDDLE_URL=door, HEDDLE_TOKEN=token)

    assert "subject='My order'" in said


@with_node
async def test_a_client_in_typescript(two_teams: TwoTeams, door: str, folder: Path) -> None:
    here = folder / "clients/typescript"
    shutil.copytree(CLIENTS / "typescript", here, ignore=shutil.ignore_patterns("node_modules", "built"))
    await run(here, "npm", "ci", "--no-audit", "--no-fund", "--silent")

    await run(here, "npm", "run", "make")
    token = await a_token(two_teams.admin)
    said = await run(here, str(NODE), "built/inbox.js", HEDDLE_URL=door, HEDDLE_TOKEN=token)

    assert "My order" in said
