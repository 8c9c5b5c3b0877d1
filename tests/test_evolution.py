"""What docs/api/evolution.md promises to whoever built on the schema."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
)

from api.schema import schema

ROOT = Path(__file__).parent.parent
RELEASED = ROOT / "docs/api/released.graphql"
"""The schema of the last release; until there is one, that from which on differences count."""
REASON = re.compile(r"Use .+\. Remove after (\d{4}-\d{2})")
NOW = build_schema((ROOT / "schema.graphql").read_text())


def deprecated(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Each element that is to go, with its reason."""
    for type in schema.type_map.values():
        if isinstance(type, GraphQLEnumType):
            for name, value in type.values.items():
                if value.deprecation_reason is not None:
                    yield f"{type.name}.{name}", value.deprecation_reason
        elif isinstance(type, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for name, field in type.fields.items():
                if field.deprecation_reason is not None:
                    yield f"{type.name}.{name}", field.deprecation_reason
                for argument, one in getattr(field, "args", {}).items():
                    if one.deprecation_reason is not None:
                        yield f"{type.name}.{name}({argument}:)", one.deprecation_reason


def overdue(schema: GraphQLSchema, month: str) -> list[str]:
    """What says no month, or stayed beyond it."""
    found = []
    for element, reason in deprecated(schema):
        said = REASON.fullmatch(reason)
        if said is None:
            found.append(f"{element}: “{reason}” is not “Use …. Remove after YYYY-MM”")
        elif said[1] < month:
            found.append(f"{element}: its time was over with {said[1]}")
    return found


def unnamed(before: GraphQLSchema, after: GraphQLSchema, changelog: str) -> list[str]:
    """Breaking differences whose element stands in no line on what breaks."""
    breaking = "\n".join(line for line in changelog.splitlines() if "**Breaking:**" in line)
    return [
        change.description
        for change in find_breaking_changes(before, after)
        if not any(f"`{name}`" in breaking for name in _names(change.description))
    ]


def _names(description: str) -> list[str]:
    """Of a difference, as graphql-core tells it: `Type.field`, or else the words that can be a type's or a value's."""
    return re.findall(r"\w+\.\w+", description) or re.findall(r"\b[A-Z]\w*", description)


def test_what_is_deprecated_says_until_when_and_goes_then() -> None:
    assert overdue(schema._schema, datetime.now(UTC).strftime("%Y-%m")) == []


def test_what_breaks_a_client_of_the_last_release_is_named_in_the_changelog() -> None:
    released = build_schema(RELEASED.read_text())

    assert unnamed(released, NOW, (ROOT / "CHANGELOG.md").read_text()) == []


@pytest.mark.parametrize(
    ("reason", "wrong"),
    [
        ("Use `b`. Remove after 2027-03", False),
        ("Use `b`. Remove after 2026-12", False),
        ("Use `b`. Remove after 2026-11", True),
        ("Old", True),
        ("Use `b`.", True),
    ],
)
@pytest.mark.parametrize(
    "sketch",
    [
        'type Query {{ a: Int @deprecated(reason: "{0}") b: Int }}',
        'type Query {{ b(c: Int @deprecated(reason: "{0}")): Int }}',
        'type Query {{ b: E }} enum E {{ A @deprecated(reason: "{0}") B }}',
        'type Query {{ b(i: I): Int }} input I {{ a: Int @deprecated(reason: "{0}") }}',
    ],
)
def test_a_reason_that_is_late_or_says_no_month_is_found(sketch: str, reason: str, wrong: bool) -> None:
    assert bool(overdue(build_schema(sketch.format(reason)), "2026-12")) is wrong


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("type Query { a: Int b: Int }", "type Query { b: Int }", "`Query.a`"),
        ("type Query { a: Int b: Int }", "type Query { a: ID b: Int }", "`Query.a`"),
        ("type Query { a: E } enum E { ONE TWO }", "type Query { a: E } enum E { ONE }", "`E.TWO`"),
        ("type Query { a: T } type T { b: Int }", "type Query { a: Int }", "`T`, `Query.a`"),
        ("type Query { a: Int }", "type Query { a(b: Int!): Int }", "`Query.a`"),
    ],
)
def test_a_breaking_difference_has_to_be_named(before: str, after: str, named: str) -> None:
    schemas = build_schema(before), build_schema(after)

    assert unnamed(*schemas, f"* New: {named}.")
    assert not unnamed(*schemas, f"* **Breaking:** {named} is otherwise.")
