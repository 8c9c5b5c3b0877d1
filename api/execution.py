"""What happens to every operation before a resolver runs: it is admitted, and it ends in time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import NoneType
from typing import Any

import structlog
from graphql import GraphQLError
from opentelemetry import trace
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from api import limits, metrics, reads
from api.context import Context
from api.documents import Operation
from api.errors import shown
from api.limits import Size, size_of
from domain.errors import OverLimit, Refused

SIZES = 100
"""Of one operation, that are remembered."""


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
        size = self._size(operation, variables)
        size.check()
        limits.check_variables(variables, operation.needs.fields)
        context.pay(size.roots)
        # What comes without a session may be a sign-in: then it is asked once it is known whose.
        if context.somebody or execution.operation_type is not OperationType.MUTATION:
            context.permit()

    def _size(self, operation: Operation, variables: dict[str, Any]) -> Size:
        """Measured once for the same numbers, where it depends on numbers alone: how much of a list is asked for."""
        names = operation.sized_by
        given = tuple((name, variables[name]) for name in names or () if name in variables)
        measured = names is not None and all(value.__class__ in (int, NoneType) for _, value in given)
        if measured and given in operation.sizes:
            return operation.sizes[given]
        size = size_of(self.execution_context.schema._schema, operation.document, operation.node, variables)
        operation.sized_by = size.by
        if measured:
            if len(operation.sizes) >= SIZES:
                operation.sizes.clear()
            operation.sizes[given] = size
        return size


class Timed(SchemaExtension):
    """Queries and mutations end in time: what they have begun is rolled back."""

    async def on_execute(self) -> AsyncIterator[None]:
        execution = self.execution_context
        if execution.operation_type is not OperationType.QUERY:
            await execution.context.let_go()
        if execution.operation_type is OperationType.SUBSCRIPTION:
            yield
            return
        try:
            async with asyncio.timeout(limits.SECONDS) as clock:
                if execution.operation_type is OperationType.QUERY:
                    async with execution.context.querying():
                        yield
                    await reads.note(execution.context, execution.context.opened)
                else:
                    try:
                        yield
                    finally:
                        await execution.context.let_go()
        except TimeoutError:
            if not clock.expired():
                raise
            refusal = OverLimit(limit="seconds", value=limits.SECONDS, most=limits.SECONDS)
            locale = execution.context.locale
            raise shown(GraphQLError(str(refusal), original_error=refusal), locale) from None
