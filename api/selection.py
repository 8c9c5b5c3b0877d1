"""What a query asks for below a field, so that a root resolver reads that and nothing else.

Fragments are merged whatever their type condition, and `@skip`/`@include` are taken as included: at worst something is
read that is not shown. Found once per document: documents are kept (`api/documents.py`), and so are their selections.
"""

from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode
from strawberry import Info


class Selection(dict[str, "Selection"]):
    """Field name → what is asked for below it."""

    nodes: tuple[FieldNode, ...] = ()
    """Where the field itself is written."""
    is_certain: bool = True
    """No `@skip` or `@include` stands at it, nor at a fragment around it."""

    def below(self, *path: str) -> "Selection":
        found = self
        for name in path:
            found = found.get(name) or Selection()
        return found


NOTHING = Selection()

Selections = dict[tuple[int, ...], tuple[list[FieldNode], Selection]]
"""By the identities of all nodes that make the field (a field may be written twice, or come by a fragment), which are
kept beside, so that no other nodes can come to have them."""

KEPT = 200
"""For one document: `@include` makes many fields of one, by its variables."""


def wanted(info: Info[Any, Any]) -> Selection:
    raw: GraphQLResolveInfo[Any] = info._raw_info
    known: Selections = info.context.selections
    nodes = raw.field_nodes
    key = tuple(map(id, nodes))
    if key not in known:
        selection = Selection()
        added: set[tuple[int, str]] = set()
        for node in nodes:
            _add(selection, node.selection_set, raw.fragments, added, is_certain=True)
        if len(known) >= KEPT:
            known.clear()
        known[key] = (nodes, selection)
    return known[key][1]


def _add(
    found: Selection,
    selection_set: SelectionSetNode | None,
    fragments: dict[str, Any],
    added: set[tuple[int, str]],
    *,
    is_certain: bool,
) -> None:
    """`added`: which fragments are in which selection already; spreads of spreads would double at each step."""
    if selection_set is None:
        return
    for node in selection_set.selections:
        always = is_certain and not node.directives
        match node:
            case FieldNode():
                below = found.setdefault(node.name.value, Selection())
                below.nodes += (node,)
                below.is_certain = below.is_certain and always
                _add(below, node.selection_set, fragments, added, is_certain=True)
            case InlineFragmentNode():
                _add(found, node.selection_set, fragments, added, is_certain=always)
            case FragmentSpreadNode() if (id(found), node.name.value) not in added:
                added.add((id(found), node.name.value))
                fragment = fragments[node.name.value]
                _add(found, fragment.selection_set, fragments, added, is_certain=always)
