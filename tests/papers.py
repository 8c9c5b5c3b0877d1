"""What the pages in `docs` show, as their readers would paste it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```graphql\n(.*?)^```\n(?:\s*^```json\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
JSON = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^(?:query|mutation|subscription) (\w+)")


CODE = re.compile(
    r"^```(graphql|sh|python|js)\n(.*?)^```\n(?:\s*^```json\n(.*?)^```$)?", re.MULTILINE | re.DOTALL
)
FILE = re.compile(r"(?:#|//) (\w+\.m?\w+)\n")
NOT_RUN = re.compile(r"(?:#|//) not run by the tests")


@dataclass(frozen=True)
class Shown:
    page: str
    name: str
    document: str
    variables: dict[str, Any] | None
    """Of the JSON that follows it, if some does."""


def shown(page: str) -> list[Shown]:
    found = []
    for document, variables in BLOCK.findall((DOCS / page).read_text()):
        name = NAME.match(document)
        assert name, f"{page}: an operation without a name begins with {document[:40]!r}"
        found.append(Shown(page, name[1], document, json.loads(variables) if variables else None))
    return found


def all_shown() -> list[Shown]:
    return [one for page in sorted(DOCS.rglob("*.md")) for one in shown(str(page.relative_to(DOCS)))]


def payloads(page: str) -> list[dict[str, Any]]:
    """The objects that stand there as JSON: the variables of the documents, and what Heddle sends by itself."""
    return [json.loads(text) for text in JSON.findall((DOCS / page).read_text())]


@dataclass(frozen=True)
class Code:
    page: str
    language: str
    text: str
    variables: str
    """Of GraphQL: the JSON that follows it."""

    @property
    def file(self) -> str | None:
        """As which it is to be saved, by its first line."""
        found = FILE.match(self.text)
        return found[1] if found else None

    @property
    def is_run(self) -> bool:
        return not NOT_RUN.match(self.text)


def code(page: str) -> list[Code]:
    """What stands there to be run, in its order."""
    found = CODE.findall((DOCS / page).read_text())
    return [Code(page, language, text, variables or "{}") for language, text, variables in found]
