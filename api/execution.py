"""Documents are parsed and validated once: what screens send again and again costs neither the second time."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import DocumentNode, GraphQLError, StringValueNode, ValidationRule
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from api.context import Context
from api.errors import shown
from api.permissions import Rule, needs_of
from api.selection import Selections
from domain.errors import Refused

KEPT = 500


@dataclass(frozen=True)
class Document:
    node: DocumentNode
    needs: dict[str | None, list[Rule]]
    selections: Selections = field(default_factory=dict)


_documents: OrderedDict[str, Document] = OrderedDict()


class StorableText(ValidationRule):
    """A text in a document may be written with escapes: the door has cleaned only what stood in it as it is."""

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        if "\x00" in node.value:
            self.report_error(GraphQLError("A text cannot hold the character NUL.", node))


class Documents(SchemaExtension):
    def on_operation(self) -> Iterator[None]:
        execution = self.execution_context
        known = _documents.get(execution.query or "")
        if known:
            _documents.move_to_end(execution.query or "")
            execution.graphql_document = known.node
            execution.validation_rules = ()
            execution.context.selections = known.selections
        else:
            execution.validation_rules += (StorableText,)
        yield

    def on_execute(self) -> Iterator[None]:
        """Only what passed validation gets here."""
        execution = self.execution_context
        if execution.query and execution.graphql_document:
            document = _documents.get(execution.query)
            if document is None:
                node = execution.graphql_document
                document = _documents[execution.query] = Document(
                    node, needs_of(node, execution.schema._schema)
                )
                execution.context.selections = document.selections
                if len(_documents) > KEPT:
                    _documents.popitem(last=False)
            execution.context.needs = document.needs[execution.operation_name]
        yield


class Permitted(SchemaExtension):
    """Nothing is read or done for who may not ask for all that the document asks for.

    What comes without a session may be a sign-in: then it is asked once it is known whose.
    """

    def on_execute(self) -> Iterator[None]:
        context: Context = self.execution_context.context
        if context.somebody or self.execution_context.operation_type is not OperationType.MUTATION:
            try:
                context.permit()
            except Refused as refusal:  # no resolver runs, so nobody else gives it its code
                raise shown(GraphQLError(str(refusal), original_error=refusal), context.locale) from None
        yield
