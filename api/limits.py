"""How much one document may ask for: known before anything is read, and refused with the limit's name and its value.

Nodes are the objects that an answer may hold. A list counts as many as its `first` says, any other `PLAIN_LIST`: for what is
longer there is the clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
)

from domain.errors import OverLimit
from domain.working import bulk

TOKENS = 1000
DEPTH = 8
ALIASES = 15
NODES = 5000
LIST = 100
"""Entries of a list among the variables."""
LONGER_LISTS = {"bulkChange": bulk.MOST}
"""By the field at the root."""
SECONDS = 5.0
PLAIN_LIST = 10


@dataclass(frozen=True)
class Size:
    """Of one operation."""

    depth: int
    aliases: int
    nodes: int
    roots: int
    """Fields at the root: each is an operation of its own."""
    by: frozenset[str]
    """The variables on which it depends."""

    def check(self) -> None:
        found = {
            "depth": (self.depth, DEPTH),
            "aliases": (self.aliases, ALIASES),
            "nodes": (self.nodes, NODES),
        }
        for limit, (value, most) in found.items():
            if value > most:
                raise OverLimit(limit=limit, value=value, most=most)


def check_variables(said: Any, fields: Iterable[str]) -> None:
    """Of an operation with these fields at its root."""
    _check_lists(said, max((LONGER_LISTS.get(field, LIST) for field in fields), default=LIST))


def _check_lists(said: Any, most: int) -> None:
    match said:
        case list():
            if len(said) > most:
                raise OverLimit(limit="list", value=len(said), most=most)
            for one in said:
                _check_lists(one, most)
        case dict():
            for one in said.values():
                _check_lists(one, most)


def size_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Size:
    """Of an operation of a valid document."""
    measure = _Measure(schema, document, operation, variables)
    found = measure.below(operation.selection_set, schema.get_root_type(operation.operation), None)
    return Size(found.depth, found.aliases, found.nodes, found.fields, frozenset(measure.asked))


class _Found(NamedTuple):
    depth: int = 0
    aliases: int = 0
    nodes: int = 0
    fields: int = 0


class _Measure:
    """Each fragment is measured once however often it is spread: spreading spreads makes a bomb."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._defaults = {
            one.variable.name.value: one.default_value for one in operation.variable_definitions or ()
        }
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._known: dict[tuple[str, int | None], _Found] = {}
        self.asked: set[str] = set()

    def below(self, selections: SelectionSetNode | None, parent: Any, first: int | None) -> _Found:
        """`first`: of the field around, for whose list this is the wrapper."""
        depth = aliases = nodes = fields = either = 0
        for selection in selections.selections if selections else ():
            found = self._one(selection, parent, first)
            depth, aliases = max(depth, found.depth), aliases + found.aliases
            fields += found.fields
            if is_abstract_type(parent) and not isinstance(selection, FieldNode):
                either = max(either, found.nodes)  # an object is of one type
            else:
                nodes += found.nodes
        return _Found(depth, aliases, nodes + either, fields)

    def _one(self, selection: SelectionNode, parent: Any, first: int | None) -> _Found:
        match selection:
            case FieldNode():
                return self._field(selection, parent, first)
            case FragmentSpreadNode():
                known = (selection.name.value, first)
                if known not in self._known:
                    fragment = self._fragments[selection.name.value]
                    inside = self._schema.get_type(fragment.type_condition.name.value)
                    self._known[known] = self.below(fragment.selection_set, inside, first)
                return self._known[known]
            case InlineFragmentNode(type_condition=condition):
                inside = self._schema.get_type(condition.name.value) if condition else parent
                return self.below(selection.selection_set, inside, first)
        raise TypeError(selection)

    def _field(self, node: FieldNode, parent: Any, around: int | None) -> _Found:
        aliases = 1 if node.alias else 0
        if node.name.value.startswith("__"):  # the schema is as deep as it is, and only asked by who may
            return _Found(1, aliases, 0, 1)
        field: GraphQLField = parent.fields[node.name.value]
        type = get_named_type(field.type)
        if not is_composite_type(type):
            return _Found(1, aliases, 0, 1)
        asked = self._first(node, field)
        is_list = is_list_type(get_nullable_type(field.type))
        below = self.below(node.selection_set, type, None if is_list else asked)
        count = (asked or around or PLAIN_LIST) if is_list else 1
        return _Found(1 + below.depth, aliases + below.aliases, count * (1 + below.nodes), 1)

    def _first(self, node: FieldNode, field: GraphQLField) -> int | None:
        """Whichever of `first` and `last` asks for more."""
        sizes = [self._given(node, field, name) for name in ("first", "last") if name in field.args]
        return max((size for size in sizes if size is not None), default=None)

    def _given(self, node: FieldNode, field: GraphQLField, argument: str) -> int | None:
        default = field.args[argument].default_value
        default = default if isinstance(default, int) else None
        given = next((one.value for one in node.arguments or () if one.name.value == argument), None)
        if isinstance(given, VariableNode):
            name = given.name.value
            self.asked.add(name)
            if name in self._variables:
                return _size(self._variables[name], default)
            given = self._defaults.get(name)
        return _size(int(given.value), default) if isinstance(given, IntValueNode) else default


def _size(given: Any, default: int | None) -> int | None:
    """As GraphQL will take it: a float may be whole. Nobody gets room for one list by asking for less than nothing of another."""
    if isinstance(given, float) and not given.is_integer():
        return default
    return max(0, int(given)) if isinstance(given, int | float) else default
