"""A socket outlives the session that opened it: each operation asks anew who is there, and what they may."""

from collections.abc import AsyncIterator
from dataclasses import replace

from strawberry.extensions import SchemaExtension

from api.context import Context


class AskedAnew(SchemaExtension):
    async def on_operation(self) -> AsyncIterator[None]:
        """The operations of a socket run side by side, so each has a context of its own."""
        context: Context = self.execution_context.context
        if context.connection_params is not None:
            self.execution_context.context = replace(
                context,
                somebody=await context.still(),
                selections={},
                operation=None,
                paid=0,
                loaders={},
                chorus=None,
                keeps=False,
                is_query=False,
                opened=set(),
            )
        yield
