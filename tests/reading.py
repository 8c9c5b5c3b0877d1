"""Somebody who follows a page of docs/api from top to bottom, with an integrator's token or as an admin."""

import asyncio
import json
import os
import shutil
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse

from api.permissions import RULES, needs_of
from api.schema import schema
from domain.actors import Scope
from tests.answers import learned, refusals
from tests.capitals import filled
from tests.client import Client
from tests.papers import Code

NODE = shutil.which("node")
LONGEST = 30.0

with_node = pytest.mark.skipif(
    NODE is None and not os.environ.get("CI"),  # there it is installed: its absence is a failure
    reason="no Node here: apt-get install nodejs has one",
)

CREATE = "mutation($input: TokenCreateInput!) { tokenCreate(input: $input) { secret } }"


async def a_token(admin: Client) -> str:
    made = await admin.do(CREATE, name="Integrator", scopes=[scope.name for scope in Scope])
    return str(made["secret"])


@dataclass
class Reader:
    program: Client
    """With a token of all scopes."""
    admin: Client
    folder: Path
    """Where samples are saved and run."""
    words: dict[str, str]
    """What those in capitals stand for."""
    settings: dict[str, str] = field(default_factory=dict)
    """Of the Heddle, for its command line."""

    async def runs(self, one: Code) -> str:
        """What went wrong, if something did."""
        match one.language:
            case "graphql":
                return await self._asks(one)
            case "sh":
                return await self._starts("sh", "-euc", one.text)
            case "python":
                return await self._starts(sys.executable, self.saved(one))
            case _:
                return await self._starts(str(NODE), self.saved(one))

    async def _asks(self, one: Code) -> str:
        words = self.words | {"UUID": str(uuid.uuid4())}
        client = self.program if is_for_programs(one.text) else self.admin
        variables = json.loads(filled(one.variables, words))
        operation = parse(one.text).definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        if operation.operation == OperationType.SUBSCRIPTION:
            async with asyncio.timeout(LONGEST), client.listening(one.text, **variables) as stream:
                answer: dict[str, Any] = {"data": await stream.next()}
        else:
            answer = (await client.post(one.text, variables)).json()
        self.words |= learned(answer)
        return str(refusals(answer) or "")

    def saved(self, one: Code) -> str:
        name = one.file or {"python": "sample.py", "js": "sample.mjs"}[one.language]
        (self.folder / name).write_text(filled(one.text, self.words))
        return name

    def environment(self) -> dict[str, str]:
        tools = Path(sys.executable).parent  # heddle is there
        return {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HEDDLE_URL": self.program.address,
            "HEDDLE_TOKEN": self.program.token,
            "AGENT_TOKEN": self.admin.token,
            **self.words,
            **self.settings,
        }

    async def _starts(self, *command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=self.environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(LONGEST):
            said = (await process.communicate())[0].decode()
        wrong = process.returncode != 0 or '"errors"' in said or '"userErrors":[{' in said
        return f"exit status {process.returncode}: {said}" if wrong else ""


def is_for_programs(document: str) -> bool:
    """May a token ask this?"""
    (needs,) = needs_of(parse(document), schema._schema).values()
    changes = [RULES[f"Mutation.{name}"] for name in needs.fields if f"Mutation.{name}" in RULES]
    return all(rule.for_tokens for rule in [*needs.rules, *changes])
