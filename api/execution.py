"""Documents are parsed and validated once: what screens send again and again costs neither the second time."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import DocumentNode, GraphQLError, StringValueNode, ValidationRule
from strawberry.extensions import SchemaExtension

from api.selection import Selections

KEPT = 500


@dataclass(frozen=True)
class Document:
    node: DocumentNode
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
        if execution.query and execution.graphql_document and execution.query not in _documents:
            document = Document(execution.graphql_document)
            _documents[execution.query] = document
            execution.context.selections = document.selections
            if len(_documents) > KEPT:
                _documents.popitem(last=False)
        yield
