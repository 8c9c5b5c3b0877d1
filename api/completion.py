"""What resolvers returned becomes JSON by a function made for the selection, as far as that is nothing but reading attributes.

graphql-core asks of every field of every object which resolver it has, which arguments, which type, and whether the value is
awaited. For objects whose fields all lie ready (`api/context.plain`) the answers are the same each time: they are found once for a
document. Fields with a resolver of their own are graphql-core's to see to, beside the others of the same object. Whatever is not as
expected (a null too many, another type, an exception) is a surprise: then that object is completed by graphql-core as if nothing had
been tried, so that values, errors and their paths are its own. Times are left for the encoder (`api/graphql_http.py`), which writes
them as `isoformat` does.
"""

from typing import Any

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.awaiting import put_away
from api.compiling import Compiling, Part

KEPT = 200
"""Of one operation: `@include` makes many of one selection, by its variables."""


class CompilingExecutor(StrawberryGraphQLCoreExecutionContext):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.middleware_manager and not self.middleware_manager.middlewares:
            self.middleware_manager = None  # Strawberry brings one that does nothing
        self._found: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, Part | None]] = {}

    def complete_object_value(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList, *others: Any
    ) -> Any:
        _, path, result, position = others
        part = self._part(return_type, field_details_list)
        if part:
            try:
                ready = part.complete(result)
            except Exception:  # graphql-core says what it is
                pass
            else:
                if not part.resolved:
                    return ready
                resolved = self.execute_fields(return_type, result, path, part.resolved, position)
                if self.is_awaitable(resolved):
                    return put_away(_joined(part, ready, resolved))
                return {**part.empty, **ready, **resolved}
        return super().complete_object_value(return_type, field_details_list, *others)

    def execute_operation(self, *args: Any, **options: Any) -> Any:
        return put_away(super().execute_operation(*args, **options))

    def execute_fields(self, *args: Any) -> Any:
        return put_away(super().execute_fields(*args))

    def complete_awaitable_value(
        self, type: Any, fields: Any, info: Any, path: Any, result: Any, *others: Any
    ) -> Any:
        return put_away(super().complete_awaitable_value(type, fields, info, path, put_away(result), *others))

    def _part(self, type: GraphQLObjectType, fields: FieldDetailsList) -> Part | None:
        key = (type, id(fields))
        if key not in self._found:
            self._found[key] = (fields, self._kept(type, fields))  # kept, so that nothing else gets its id
        return self._found[key][1]

    def _kept(self, type: GraphQLObjectType, fields: FieldDetailsList) -> Part | None:
        operation = getattr(self.context_value, "operation", None)
        if operation is None or operation.node is not self.operation or self.middleware_manager:
            return None
        decided = tuple(self.variable_values.coerced.get(name) for name in operation.deciding)
        key = (type.name, decided, *(id(one.node) for one in fields))
        if key not in operation.completers:
            if len(operation.completers) >= KEPT:
                operation.completers.clear()
            operation.completers[key] = Compiling(self).part(type, fields)
        found: Part | None = operation.completers[key]
        return found


async def _joined(part: Part, ready: dict[str, Any], resolved: Any) -> dict[str, Any]:
    return {**part.empty, **ready, **await resolved}
