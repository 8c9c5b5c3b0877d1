"""The function that completes the objects of one selection, written once for a document: what `api/completion.py` says of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    Undefined,
    is_abstract_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.pyutils import is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition

from api.computed import MAY_LIE_READY

Completer: TypeAlias = Callable[[Any], Any]

EXACT = {"String": "str", "ID": "str", "Boolean": "bool", "DateTime": "datetime"}
"""Scalars of which a value of such a class is left as it is."""


class Surprise(Exception):
    """The value is none of those for which the function was made."""


@dataclass(frozen=True)
class Part:
    """Of an object: what lies ready, and the fields that have to be resolved."""

    complete: Completer
    resolved: GroupedFieldSet
    empty: dict[str, None]
    """All of its fields, in their order."""


class _Impossible(Exception):
    """A field has a resolver of its own, or something else that graphql-core has to see to."""


class Compiling:
    """Writes the function of one selection, and those below it."""

    def __init__(self, executor: StrawberryGraphQLCoreExecutionContext) -> None:
        self._executor = executor
        self._names: dict[str, Any] = {"Surprise": Surprise, "Undefined": Undefined, "datetime": datetime}

    def part(self, type: GraphQLObjectType, fields: FieldDetailsList) -> Part | None:
        try:
            selected = self._selected(type, fields)
        except _Impossible:
            return None
        ready, resolved = [], {}
        for number, (name, details) in enumerate(selected.items()):
            try:
                ready.append(self._field(type, name, details, f"v{number}"))
            except _Impossible:
                resolved[name] = details
        if not ready:
            return None
        return Part(self._names[self._reading(type, ready)], resolved, dict.fromkeys(selected))

    def _object(self, type: GraphQLObjectType, fields: FieldDetailsList) -> str:
        selected = self._selected(type, fields).items()
        ready = [
            self._field(type, name, details, f"v{number}") for number, (name, details) in enumerate(selected)
        ]
        return self._reading(type, ready)

    def _selected(self, type: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet:
        selected, deferred, forbidden = self._executor.collect_subfields(type, fields)
        if deferred or forbidden:
            raise _Impossible
        return selected

    def _field(
        self, type: GraphQLObjectType, name: str, details: FieldDetailsList, variable: str
    ) -> tuple[list[str], str]:
        """Lines that complete it, and its pair in the object."""
        node = details[0].node
        if node.name.value == "__typename":
            return [], f"{name!r}: {type.name!r}"
        field = type.fields.get(node.name.value)
        if field is None or field.args or node.arguments or details[0].fragment_variable_values:
            raise _Impossible
        directives = (one.name.value for each in details for one in each.node.directives or ())
        if any(one not in ("skip", "include") for one in directives):
            raise _Impossible
        definition: Any = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if definition is None:  # of the schema itself
            raise _Impossible
        if getattr(field.resolve, "_is_default", False):
            value = f"source.{definition.python_name}"
        elif definition.metadata.items() >= MAY_LIE_READY.items():
            value = f"source.__dict__[{definition.python_name!r}]"  # otherwise it has to be resolved
        else:
            raise _Impossible
        return [
            f"{variable} = {value}",
            *self._checked(variable, field.type, details),
        ], f"{name!r}: {variable}"

    def _reading(self, type: GraphQLObjectType, ready: list[tuple[list[str], str]]) -> str:
        seen = self._called(_Kind(type))
        return self._function(
            [
                f"if source.__class__ not in {seen}.classes: {seen}(source)",
                *(line for lines, _ in ready for line in lines),
                f"return {{{', '.join(pair for _, pair in ready)}}}",
            ]
        )

    def _checked(self, variable: str, type: GraphQLOutputType, details: FieldDetailsList) -> list[str]:
        """Lines that complete the variable in place."""
        if isinstance(type, GraphQLNonNull):
            return self._present(variable, type.of_type, details)
        lines = self._present(variable, type, details)
        return [f"if {variable} is not None:", *(f"    {line}" for line in lines)]

    def _present(self, variable: str, type: Any, details: FieldDetailsList) -> list[str]:
        """Of a value that may not be null."""
        match type:
            case GraphQLScalarType(name=name) if name in EXACT:
                other = self._called(_Leaf(type.coerce_output_value))
                return [f"if {variable}.__class__ is not {EXACT[name]}: {variable} = {other}({variable})"]
            case GraphQLScalarType(name="Int"):
                leaf = self._called(_Leaf(type.coerce_output_value))
                whole = f"{variable}.__class__ is int and {-(2**31)} <= {variable} < {2**31}"
                return [f"if not ({whole}): {variable} = {leaf}({variable})"]
            case GraphQLEnumType():
                known = self._called({})
                leaf = self._called(_Word(type.coerce_output_value, self._names[known]))
                return [f"{variable} = {known}.get(id({variable})) or {leaf}({variable})"]
            case GraphQLScalarType():
                leaf = self._called(_Leaf(type.coerce_output_value))
                coerce, classes = (
                    self._called(type.coerce_output_value),
                    self._called(self._names[leaf].classes),
                )
                return [
                    f"{variable} = {coerce}({variable}) if {variable}.__class__ in {classes} else {leaf}({variable})",
                    f"if {variable} is None or {variable} is Undefined: raise Surprise",
                ]
            case GraphQLList():
                below = self._checked("item", type.of_type, details)
                each = self._function([*below, "return item"], of="item")
                return [
                    f"if {variable}.__class__ is not list and {variable}.__class__ is not tuple: raise Surprise",
                    f"{variable} = [{each}(item) for item in {variable}]",
                ]
            case GraphQLObjectType():
                return [f"{variable} = {self._object(type, details)}({variable})"]
            case _ if is_abstract_type(type):
                return [f"{variable} = {self._called(self._one_of(type, details))}({variable})"]
            case _:
                raise _Impossible

    def _one_of(self, type: Any, details: FieldDetailsList) -> Completer:
        possible = self._executor.schema.get_possible_types(type)
        origins = {_origin(one): one for one in possible}
        completers = {
            origin: self._names[self._object(one, details)]
            for origin, one in origins.items()
            # whose class is another's, too, is told apart by its place among them
            if not any(other is not origin and issubclass(origin, other) for other in origins)
        }

        def complete(value: Any) -> Any:
            completer = completers.get(value.__class__)
            if completer is None:
                raise Surprise
            return completer(value)

        return complete

    def _called(self, value: Any) -> str:
        name = f"_{len(self._names)}"
        self._names[name] = value
        return name

    def _function(self, lines: list[str], of: str = "source") -> str:
        name = f"_{len(self._names)}"
        body = "\n    ".join(lines)
        exec(f"def {name}({of}):\n    {body}", self._names)
        return name


def _origin(type: GraphQLObjectType) -> Any:
    definition = type.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    assert isinstance(definition, StrawberryObjectDefinition)
    if definition.concrete_of or definition.type_var_map:
        raise _Impossible
    return definition.origin


class _Leaf:
    """Completes scalars; `classes`: of values that need no look."""

    def __init__(self, coerce: Callable[[Any], Any]) -> None:
        self._coerce = coerce
        self.classes: set[Any] = set()

    def __call__(self, value: Any) -> Any:
        if value.__class__ not in self.classes:
            self._meet(value)
        completed = self._coerce(value)
        if completed is None or completed is Undefined:
            raise Surprise
        return completed

    def _meet(self, value: Any) -> None:
        if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
            raise Surprise
        self.classes.add(value.__class__)


class _Word(_Leaf):
    """Completes enums; `known`: by the identity of their members, which live as long as we do."""

    def __init__(self, coerce: Callable[[Any], Any], known: dict[int, Any]) -> None:
        super().__init__(coerce)
        self._known = known

    def __call__(self, value: Any) -> Any:
        completed = super().__call__(value)
        if isinstance(value, Enum):
            self._known[id(value)] = completed
        return completed


class _Kind:
    """Whether objects of a class are of the type, asked once for each class."""

    def __init__(self, type: GraphQLObjectType) -> None:
        self._type = type
        self.classes: set[Any] = set()

    def __call__(self, source: Any) -> None:
        if source is None or source is Undefined or isinstance(source, Exception) or is_awaitable(source):
            raise Surprise
        if self._type.is_type_of and not self._type.is_type_of(source, None):  # type: ignore[arg-type]
            raise Surprise
        self.classes.add(source.__class__)
