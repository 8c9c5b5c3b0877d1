"""Bodies for `/graphql` as nobody's client sends them, by a seed: the same seed gives the same bodies."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graphql import OperationDefinitionNode, OperationType, parse, print_ast

from api.explorer.samples import samples

ROOT = Path(__file__).parent.parent
NASTY = (
    "",
    "\x00",
    "\ud800",
    "\u2028",
    "é" * 300,
    "🧵" * 50,
    "'; DROP TABLE ticket; --",
    "%s%n{0}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "a" * 20_000,
    "-1",
    "1e999",
    "NaN",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999+23:59",
)
NUMBERS = (0, -1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400, 0.1, 1e308, float("nan"), float("inf"))
RAW = (
    b"",
    b"null",
    b'"x"',
    b"[]",
    b"{}",
    b"0",
    b"\xff\xfe\x00",
    b"[" * 3000,
    b'{"query":' * 500,
    b"\xef\xbb\xbf{}",
)


def operations() -> list[str]:
    """Each of the samples as a document of its own, and a mutation of each kind without its input's values."""
    documents = [one.query for one in samples()]
    schema = parse((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    for type in schema.definitions:
        if getattr(type, "name", None) and type.name.value == "Mutation":  # type: ignore[attr-defined]
            for field in type.fields:  # type: ignore[attr-defined]
                if field.name.value == "signOut":
                    continue  # what comes after would be asked by nobody
                input = print_ast(field.arguments[0].type)
                documents.append(
                    f"mutation M($input: {input}) {{ {field.name.value}(input: $input) {{ userErrors {{ code }} }} }}"
                )
    return documents


def is_subscription(document: str) -> bool:
    return any(
        isinstance(one, OperationDefinitionNode) and one.operation is OperationType.SUBSCRIPTION
        for one in parse(document).definitions
    )


def bodies(seed: int, count: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    documents = [one for one in operations() if not is_subscription(one)]
    makers: list[Callable[[random.Random, str], bytes]] = [
        _variables,
        _variables,
        _text,
        _text,
        _bytes,
        _many,
        _shape,
        _nested,
        _raw,
    ]
    for _ in range(count):
        yield chance.choice(makers)(chance, chance.choice(documents))[: 80 * 1024]


def value(chance: random.Random, depth: int = 0) -> Any:
    """Of any kind."""
    kind = chance.randrange(8 if depth < 4 else 6)
    if kind < 3:
        return chance.choice(NASTY)
    if kind == 3:
        return chance.choice(NUMBERS)
    if kind == 4:
        return chance.choice([None, True, False])
    if kind == 5:
        return "".join(chr(chance.randrange(1, 0x2FFF)) for _ in range(chance.randrange(30)))
    if kind == 6:
        return [value(chance, depth + 1) for _ in range(chance.randrange(5))]
    return {str(value(chance, 4))[:40]: value(chance, depth + 1) for _ in range(chance.randrange(5))}


FIELDS = [
    "clientMutationId",
    "ticketId",
    "ticketIds",
    "contactId",
    "id",
    "ids",
    "title",
    "text",
    "name",
    "email",
    "password",
    "role",
    "locale",
    "timezone",
    "teamIds",
    "dueAt",
    "channelId",
    "attachmentIds",
    "lastSeenSeq",
    "scopes",
    "expiresAt",
    "code",
    "assigneeId",
    "transport",
    "handle",
    "label",
    "status",
    "priority",
    "token",
]


def _input(chance: random.Random) -> dict[str, Any]:
    return {name: value(chance, 2) for name in chance.sample(FIELDS, chance.randrange(1, 8))}


def _said(**body: Any) -> bytes:
    return json.dumps(body).encode()


def _variables(chance: random.Random, document: str) -> bytes:
    names = {"input": _input(chance), "id": value(chance), "first": value(chance), "ids": value(chance)}
    if chance.random() < 0.7:
        names["input"]["clientMutationId"] = str(chance.random())
    return _said(query=document, variables=names)


def _text(chance: random.Random, document: str) -> bytes:
    text = list(document)
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(text))
        match chance.randrange(4):
            case 0:
                del text[at]
            case 1:
                text.insert(
                    at,
                    chance.choice(["{", "}", "(", ")", '"', '"""', "$", "@", "...", "\x00", "\\u0000", "é"]),
                )
            case 2:
                text[at : at + 20] = text[at : at + 20] * chance.randrange(2, 30)
            case 3:
                text[at] = chr(chance.randrange(1, 0x10FF))
        if not text:
            break
    return _said(query="".join(text), variables={"input": _input(chance)})


def _bytes(chance: random.Random, document: str) -> bytes:
    body = bytearray(_variables(chance, document))
    for _ in range(chance.randrange(1, 10)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return bytes(body[: chance.randrange(1, len(body))] if chance.random() < 0.3 else body)


def _many(chance: random.Random, document: str) -> bytes:
    field = chance.choice(
        ["serverTime", "viewer { role }", "tickets { totalCount }", "__typename", "changeCursor"]
    )
    count = chance.choice([2, 15, 16, 100, 2000])
    aliased = " ".join(f"a{number}: {field}" for number in range(count))
    spreads = " ".join(
        f"fragment F{number} on Query {{ ...F{number + 1} ...F{number + 1} }}" for number in range(20)
    )
    return _said(
        query=chance.choice(
            [
                f"{{ {aliased} }}",
                f"{{ ...F0 }} {spreads} fragment F20 on Query {{ {field} }}",
                "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
                "{ " + "tickets { edges { node { contact { openTickets { " * count,
                f"query({', '.join(f'$v{number}: ID' for number in range(count))}) {{ {field} }}",
                "{ serverTime " + "@include(if: true) " * count + "}",
            ]
        )
    )


def _shape(chance: random.Random, document: str) -> bytes:
    body: dict[str, Any] = {"query": document, "variables": {}, "operationName": None, "extensions": {}}
    body[chance.choice(list(body))] = value(chance)
    if chance.random() < 0.3:
        body["extensions"] = {"persistedQuery": value(chance)}
    return _said(**body) if chance.random() < 0.8 else json.dumps([body] * chance.randrange(3)).encode()


def _nested(chance: random.Random, document: str) -> bytes:
    depth = chance.choice([10, 100, 900, 3000])
    opened, closed = chance.choice([("[", "]"), ('{"a":', "}")])
    return b'{"query":%s,"variables":{"input":%s1%s}}' % (
        json.dumps(document).encode(),
        (opened * depth).encode(),
        (closed * depth).encode(),
    )


def _raw(chance: random.Random, document: str) -> bytes:
    return chance.choice([*RAW, chance.randbytes(chance.randrange(2000))])
