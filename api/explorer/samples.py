"""What our screens ask, as samples: each operation of docs/operations, with the fragments that it names."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    DefinitionNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    TokenKind,
    Visitor,
    parse,
    visit,
)

FRAGMENTS = "fragments"
FOLDERS = (Path(__file__).with_name("operations"), Path(__file__).parents[2] / "docs/operations")
"""As it is installed, and in a clone."""


@dataclass(frozen=True)
class Sample:
    subject: str
    """The name of its file."""
    name: str
    query: str
    variables: dict[str, Any]
    """Words in capitals (`TICKET_ID`) stand for what is put there."""


def samples() -> list[Sample]:
    folder = next(folder for folder in FOLDERS if folder.is_dir())
    common = {
        node.name.value: node
        for node in parse((folder / f"{FRAGMENTS}.graphql").read_text("utf-8")).definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    return [
        sample
        for file in sorted(folder.glob("*.graphql"), key=_start_first)
        if file.stem != FRAGMENTS
        for sample in _samples_in(file, common)
    ]


def _start_first(file: Path) -> tuple[bool, str]:
    return file.stem != "start", file.stem


def _samples_in(file: Path, common: dict[str, FragmentDefinitionNode]) -> list[Sample]:
    variables = json.loads(file.with_suffix(".json").read_text("utf-8"))
    found = []
    for node in parse(file.read_text("utf-8")).definitions:
        assert isinstance(node, OperationDefinitionNode)
        assert node.name
        texts = [_written(one) for one in (node, *_fragments_of(node, common).values())]
        name = node.name.value
        found.append(Sample(file.stem, name, "\n\n".join(texts), variables.pop(name, {})))
    assert not variables, f"{file.stem}.json fills operations that are not there: {list(variables)}"
    return found


def _written(node: DefinitionNode) -> str:
    """As it stands in its file, with the comment above it."""
    assert node.loc
    first = node.loc.start_token
    while first.prev and first.prev.kind == TokenKind.COMMENT:
        first = first.prev
    return node.loc.source.body[first.start : node.loc.end]


def _fragments_of(
    node: DefinitionNode, common: dict[str, FragmentDefinitionNode]
) -> dict[str, FragmentDefinitionNode]:
    """Those that it spreads, and those that these spread."""
    spreads = _Spreads()
    visit(node, spreads)
    found: dict[str, FragmentDefinitionNode] = {}
    for name in spreads.names:
        found |= {name: common[name]} | _fragments_of(common[name], common)
    return found


class _Spreads(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.names.append(node.name.value)
