"""Documents are parsed, validated and measured once: what screens send again and again costs neither the second time, and
may then be named by its SHA-256 (`extensions.persistedQuery.sha256Hash`, as Apollo's and other clients do).
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    StringValueNode,
    ValidationRule,
    VariableNode,
    Visitor,
    validate,
    visit,
)
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from api import limits
from api.errors import MOST, shown
from api.limits import Size
from api.permissions import Needs, needs_of
from api.selection import Selections
from domain.errors import Refused

KEPT = 500


@dataclass(eq=False)
class Operation:
    node: OperationDefinitionNode
    document: DocumentNode
    needs: Needs
    sizes: dict[tuple[Any, ...], Size] = field(default_factory=dict)
    """By the values of the variables on which they depend."""
    sized_by: frozenset[str] | None = None
    """None: it was not measured yet."""
    deciding: tuple[str, ...] = ()
    """The variables by which `@skip` and `@include` decide what is selected."""
    completers: dict[Any, Any] = field(default_factory=dict)
    """By type and selection (`api/completion.py`)."""


@dataclass(frozen=True)
class Document:
    node: DocumentNode
    operations: dict[str | None, Operation]
    selections: Selections = field(default_factory=dict)


_documents: OrderedDict[str, Document] = OrderedDict()
"""By the SHA-256 of their text."""


class StorableText(ValidationRule):
    """A text in a document may be written with escapes: the door has cleaned only what stood in it as it is."""

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        if "\x00" in node.value:
            self.report_error(GraphQLError("A text cannot hold the character NUL.", node))


class Documents(SchemaExtension):
    def on_operation(self) -> Iterator[None]:
        execution = self.execution_context
        execution.parse_options["max_tokens"] = limits.TOKENS
        self._hash = _hash(execution)
        if known := _documents.get(self._hash):
            _documents.move_to_end(self._hash)
            execution.graphql_document = known.node
            execution.validation_rules = ()
            execution.context.selections = known.selections
        else:
            self._pay()
            execution.validation_rules += (StorableText,)
        yield

    def _pay(self) -> None:
        """To read a document costs most when it turns out to be wrong: one operation is paid before."""
        context = self.execution_context.context
        try:
            context.pay(1)
        except Refused as refusal:
            raise shown(GraphQLError(str(refusal), original_error=refusal), context.locale) from None

    def on_validate(self) -> Iterator[None]:
        """Strawberry goes on to the hundredth error, and each is looked up among all names there are."""
        execution = self.execution_context
        if execution.validation_rules and execution.graphql_document:
            execution.pre_execution_errors = validate(
                execution.schema._schema,
                execution.graphql_document,
                execution.validation_rules,
                max_errors=MOST,
            )
        yield

    def on_execute(self) -> Iterator[None]:
        """Only what passed validation gets here."""
        execution = self.execution_context
        if execution.graphql_document:
            document = _documents.get(self._hash)
            if document is None:
                document = _documents[self._hash] = self._read(execution.graphql_document)
                execution.context.selections = document.selections
                if len(_documents) > KEPT:
                    _documents.popitem(last=False)
            execution.context.operation = document.operations[execution.operation_name]
        yield

    def _read(self, node: DocumentNode) -> Document:
        needs = needs_of(node, self.execution_context.schema._schema)
        operations = {
            one.name.value if one.name else None: one
            for one in node.definitions
            if isinstance(one, OperationDefinitionNode)
        }
        decide = deciding(node)
        return Document(
            node,
            {name: Operation(one, node, needs[name], deciding=decide) for name, one in operations.items()},
        )


def deciding(document: DocumentNode) -> tuple[str, ...]:
    """The variables by which `@skip` and `@include` decide what is selected."""
    names: set[str] = set()

    class Directives(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: object) -> None:
            given = (argument.value for argument in node.arguments or ())
            names.update(value.name.value for value in given if isinstance(value, VariableNode))

    visit(document, Directives())
    return tuple(sorted(names))


def _hash(execution: ExecutionContext) -> str:
    """Of the document; one that is only named has to be known."""
    persisted = (execution.operation_extensions or {}).get("persistedQuery")
    named = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not execution.query:
        if not isinstance(named, str):
            return ""
        if named not in _documents:  # in these words: clients then send the text too
            raise GraphQLError("PersistedQueryNotFound", extensions={"code": "PERSISTED_QUERY_NOT_FOUND"})
        return named
    found = sha256(execution.query.encode()).hexdigest()
    if named not in (None, found):
        raise GraphQLError("This is not the hash of this document.", extensions={"code": "HASH_MISMATCH"})
    return found
