"""Who may ask what: `permissions.md` is the table, and this is what keeps it.

A query's or subscription's needs are the rows of all fields in it, found once per document; a mutation's own row is asked
when it is called, so that its refusal is a user error. Which *rows of data* somebody sees is the door's (`domain/access.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)

from domain.actors import Actor, ActorKind, Role, Scope
from domain.errors import MissingScope, NotAllowed, NotSignedIn

TABLE = Path(__file__).with_name("permissions.md")


@dataclass(frozen=True)
class Rule:
    """A row of the table."""

    anonymous: bool
    visitor: bool
    roles: Mapping[Role, bool]
    other_teams: bool | None
    """Does an agent get at another team's? None: it has no team."""
    scope: Scope | None
    """What a token needs; none: no token may."""
    for_tokens: bool

    def check(self, actor: Actor | None) -> None:
        if actor is None:
            if not self.anonymous:
                raise NotSignedIn
        elif actor.kind == ActorKind.TOKEN:
            if not self.for_tokens:
                raise NotAllowed
            if self.scope and self.scope not in actor.scopes:
                raise MissingScope(scope=self.scope)
        elif actor.role is None or not self.roles[actor.role]:
            raise NotAllowed


def read(table: str) -> dict[str, Rule]:
    """By element: `Type.field`, or `Type` for all its fields without a row of their own."""
    rules = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        element, anonymous, visitor, agent, other_teams, manager, admin, scope = cells
        rules[element.strip("`")] = Rule(
            anonymous=_yes(anonymous),
            visitor=_yes(visitor),
            roles={Role.AGENT: _yes(agent), Role.MANAGER: _yes(manager), Role.ADMIN: _yes(admin)},
            other_teams=None if other_teams == "·" else _yes(other_teams),
            scope=None if scope in ("yes", "no") else Scope(scope),
            for_tokens=scope != "no",
        )
    return rules


def _yes(cell: str) -> bool:
    return {"yes": True, "no": False}[cell]


RULES = read(TABLE.read_text(encoding="utf-8"))


def allowed(role: Role) -> list[str]:
    """The queries, mutations and subscriptions of somebody of this role, by name."""
    elements = sorted(element for element, rule in RULES.items() if rule.roles[role])
    return [field for type, _, field in (one.partition(".") for one in elements) if type in ROOTS]


INTROSPECTION = Rule(
    anonymous=False,
    visitor=False,
    roles=dict.fromkeys(Role, True),
    other_teams=None,
    scope=None,
    for_tokens=True,
)

ROOTS = ("Query", "Mutation", "Subscription")


WRAPPERS = (
    "*Payload",
    "*Connection",
    "*Edge",
    "*Changed",
    "PageInfo",
    "UserError",
    "WrongWord",
    "TextSpan",
    "NewSecret",
    "ChannelFinding",
    "FileUpload",
    "UploadHeader",
    "WaitingFile",
    "MacroReply",
    "MacroWords",
)
"""Types that hold nothing of their own: what is around and in them decides."""


@cache
def rule_of(type_name: str, field: str) -> Rule | None:
    """None: of a wrapper."""
    for element in (f"{type_name}.{field}", type_name):
        if element in RULES:
            return RULES[element]
    if any(fnmatchcase(type_name, wrapper) for wrapper in WRAPPERS):
        return None
    raise LookupError(f"{type_name}.{field} has no row in {TABLE.name}")


@dataclass(frozen=True)
class Needs:
    """Of an operation."""

    fields: list[str]
    """At the root."""
    rules: list[Rule]


def needs_of(document: DocumentNode, schema: GraphQLSchema) -> dict[str | None, Needs]:
    """What each operation of a valid document asks for, by its name."""
    collector = _Collector(TypeInfo(schema))
    visit(document, TypeInfoVisitor(collector.types, collector))
    return {
        node.name.value if node.name else None: collector.needs_of(f"operation {id(node)}")
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    }


class _Collector(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self._elements: dict[str, set[tuple[str, str]]] = {}
        self._spreads: dict[str, set[str]] = {}
        self._introspects: set[str] = set()
        self._at = ""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        self._begin(f"operation {id(node)}")

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: object) -> None:
        self._begin(node.name.value)

    def _begin(self, name: str) -> None:
        self._at = name
        self._elements[name], self._spreads[name] = set(), set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self.types.get_parent_type()
        if node.name.value in ("__schema", "__type"):
            self._introspects.add(self._at)
        if parent and not node.name.value.startswith("__") and not parent.name.startswith("__"):
            self._elements[self._at].add((parent.name, node.name.value))

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self._spreads[self._at].add(node.name.value)

    def needs_of(self, name: str) -> Needs:
        reached, waiting = set[str](), [name]
        while waiting:
            at = waiting.pop()
            if at not in reached:
                reached.add(at)
                waiting += self._spreads[at]
        elements = sorted({element for at in reached for element in self._elements[at]})
        rules = [INTROSPECTION] if reached & self._introspects else []
        for element in elements:
            if element[0] != "Mutation" and (rule := rule_of(*element)) and rule not in rules:
                rules.append(rule)
        return Needs([field for type, field in elements if type in ROOTS], rules)
