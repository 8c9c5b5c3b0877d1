"""What a query asks for below a field, so that a root resolver reads that and nothing else.

Fragments are merged whatever their type condition, and `@skip`/`@include` are taken as included: at worst something is
read that is not shown. Found once per document: documents are kept (`api/execution.py`), and so are their selections.
"""

from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode
from strawberry import Info


class Selection(dict[str, "Selection"]):
    """Field name → what is asked for below it."""

    def below(self, *path: str) -> "Selection":
        found = self
        for name in path:
            found = found.get(name) or Selection()
        return found


Selections = dict[int, tuple[FieldNode, Selection]]
"""By the identity of the field's node, which is kept beside, so that no other node can come to have it."""


def wanted(info: Info[Any, Any]) -> Selection:
    raw: GraphQLResolveInfo[Any] = info._raw_info
    known: Selections = info.context.selections
    first = raw.field_nodes[0]
    if id(first) not in known:
        selection = Selection()
        for node in raw.field_nodes:
            _add(selection, node.selection_set, raw.fragments)
        known[id(first)] = (first, selection)
    return known[id(first)][1]


def _add(found: Selection, selection_set: SelectionSetNode | None, fragments: dict[str, Any]) -> None:
    if selection_set is None:
        return
    for node in selection_set.selections:
        match node:
            case FieldNode():
                below = found.setdefault(node.name.value, Selection())
                _add(below, node.selection_set, fragments)
            case InlineFragmentNode():
                _add(found, node.selection_set, fragments)
            case FragmentSpreadNode():
                _add(found, fragments[node.name.value].selection_set, fragments)
