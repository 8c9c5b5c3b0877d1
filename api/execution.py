"""What happens to every operation before a resolver runs.

Documents are parsed, validated and measured once: what screens send again and again costs neither the second time, and
may then be named by its SHA-256 (`extensions.persistedQuery.sha256Hash`, as Apollo's and other clients do).
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

import structlog
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, StringValueNode, ValidationRule
from opentelemetry import trace
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from api import limits, metrics
from api.context import Context
from api.errors import shown
from api.limits import Size, size_of
from api.permissions import Needs, needs_of
from api.selection import Selections
from domain.errors import OverLimit, Refused

KEPT = 500


@dataclass(eq=False)
class Operation:
    node: OperationDefinitionNode
    document: DocumentNode
    needs: Needs
    size: Size | None = None
    """Where it is the same whatever the variables are."""


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
            execution.validation_rules += (StorableText,)
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
        return Document(node, {name: Operation(one, node, needs[name]) for name, one in operations.items()})


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


class Admitted(SchemaExtension):
    """Nothing is read or done for who asks too much, or may not ask for all that is asked."""

    def on_execute(self) -> Iterator[None]:
        context: Context = self.execution_context.context
        fields = context.operation.needs.fields if context.operation else ()
        structlog.contextvars.bind_contextvars(fields=fields)
        trace.get_current_span().set_attribute("graphql.fields", fields)
        try:
            if context.operation:
                self._admit(context, context.operation)
            metrics.asked(fields, refused=False)
        except Refused as refusal:  # no resolver runs, so nobody else gives it its code
            metrics.asked(fields, refused=True)
            raise shown(GraphQLError(str(refusal), original_error=refusal), context.locale) from None
        yield

    def _admit(self, context: Context, operation: Operation) -> None:
        execution = self.execution_context
        variables = execution.variables or {}
        size = operation.size or size_of(
            execution.schema._schema, operation.document, operation.node, variables
        )
        if size.fixed:
            operation.size = size
        size.check()
        limits.check_variables(variables)
        context.house.rates.take(context.principal, size.roots, signed_in=context.somebody is not None)
        # What comes without a session may be a sign-in: then it is asked once it is known whose.
        if context.somebody or execution.operation_type is not OperationType.MUTATION:
            context.permit()


class Timed(SchemaExtension):
    """Queries and mutations end in time: what they have begun is rolled back."""

    async def on_execute(self) -> AsyncIterator[None]:
        execution = self.execution_context
        if execution.operation_type is OperationType.SUBSCRIPTION:
            yield
            return
        try:
            async with asyncio.timeout(limits.SECONDS) as clock:
                yield
        except TimeoutError:
            if not clock.expired():
                raise
            refusal = OverLimit(limit="seconds", value=limits.SECONDS, most=limits.SECONDS)
            locale = execution.context.locale
            raise shown(GraphQLError(str(refusal), original_error=refusal), locale) from None
