"""The change feed as a stream.

Who subscribes catches up with an audience (`api/audiences.py`) by reading alone, then hears what the audience read. The server
closes who does not take it (`api/server.py`), and who comes late for what is kept catches up anew.
"""

from collections.abc import AsyncGenerator
from typing import Any

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType

from api.audiences import Listener, joined
from api.change_topics import ChangeTopic
from api.changes import ChangeBatch, too_old
from api.completion import CompilingExecutor
from api.context import Context, Info
from api.cursors import place
from api.errors import shown
from api.scalars import Cursor
from api.telling import telling
from domain import events
from domain.errors import InvalidInput
from domain.languages import N_


async def _stream(
    info: Info, since: Cursor, topics: list[ChangeTopic] | None = None
) -> AsyncGenerator[ChangeBatch, None]:
    context: Context = info.context
    listener = Listener(place(context.house, since), telling.get(), sees=context.actor)
    asked = frozenset(topics or ChangeTopic)
    async with context.reading() as reading:
        newest = (
            await events.newest_place(reading.connection)
            if await too_old(reading, listener.reached)
            else None
        )
    if newest:
        listener.reached = newest
        yield ChangeBatch.of(context.house, newest, reset_required=True)
    with context.watched(listener.rung) as who:
        while True:
            async with joined(info, asked, listener) as audience:
                while who.actor == context.somebody:
                    listener.rung.clear()
                    kept = await audience.after(listener)
                    if kept:
                        listener.reached = kept.reached
                        if kept.batch.says:
                            yield listener.told(kept.batch)
                    elif listener.is_quiet:
                        yield listener.told(ChangeBatch.of(context.house, listener.reached))
                    else:
                        await listener.wait()
            context.becomes(who.actor)
            async with context.reading() as reading:
                listener.reached = await events.newest_place(reading.connection)
            yield ChangeBatch.of(context.house, listener.reached, reset_required=True)


@strawberry.type
class ChangeSubscriptions:
    changes: AsyncGenerator[ChangeBatch, None] = strawberry.subscription(
        resolver=_stream,
        description="Batches as they happen, from a cursor on; an empty one now and then says where you are. "
        "`resetRequired` also comes when what you may see has changed.",
    )


class Executor(CompilingExecutor):
    """What the audience has resolved is sent as it is."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.operation.operation is OperationType.SUBSCRIPTION:
            self.context_value.executor = self

    def of(self, batch: ChangeBatch, context: Context) -> Any:
        """One that resolves the batch for them."""
        executor = self.build_per_event_executor(batch)
        executor.context_value = context
        return executor

    def execute_operation(self, *args: Any, **options: Any) -> Any:
        if isinstance(self.root_value, ChangeBatch) and self.root_value.told:
            return ExecutionResult(data=self.root_value.told.data)  # type: ignore[arg-type]  # JSON already
        if self.operation.operation is OperationType.SUBSCRIPTION and self.root_value is None:
            refusal = InvalidInput(
                N_(
                    "Subscribe over a socket, or by a POST to /graphql/stream with `Accept: text/event-stream`."
                )
            )
            raise shown(GraphQLError(str(refusal), original_error=refusal), self.context_value.locale)
        return super().execute_operation(*args, **options)
