"""How a refusal reaches the caller: in `userErrors` of a mutation, with a stable code at the top of a query."""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import strawberry
import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import FieldExtension, SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from api.limits import TOKENS
from api.permissions import RULES
from domain.errors import NotSignedIn, OverLimit, Refused
from domain.finding.mistakes import WrongQuery
from domain.languages import N_, translate

log = structlog.get_logger()

NOT_OURS = MissingQueryError | CannotGetOperationTypeError | InvalidOperationTypeError
"""What Strawberry says of a request without a query, or with an operation that is not in it."""

MOST = 10
"""Errors of a document or its variables that are told."""
LONGEST = 300
"""Letters of a message: it may quote a name that is as long as the body."""

_SUGGESTION = re.compile(r" Did you mean .*\?$")
"""Who is not signed in is not told what there is."""


@strawberry.type(description="The word of a query that is wrong.")
class WrongWord:
    start: int = strawberry.field(description="Place of its first character, counted from 0.")
    end: int = strawberry.field(description="Place after its last.")
    word: str
    nearest: str | None = strawberry.field(description="What may have been meant.")


@strawberry.type(
    description="An expected refusal; an empty list means done. `code` is stable, `field` is the path in the input, "
    "`message` is in the caller's language."
)
class UserError:
    code: str
    field: list[str] | None
    message: str
    word: WrongWord | None = strawberry.field(
        default=None, description="Where a query is refused (`QUERY_…`)."
    )


@strawberry.type
class OkPayload:
    ok: bool = False
    user_errors: list[UserError] = strawberry.field(default_factory=list)


class UserErrors(FieldExtension):
    """Asks whether this mutation may be called; turns what is refused, by the table or the domain, into `userErrors`."""

    async def resolve_async(
        self,
        next_: Callable[..., Awaitable[Any]],
        source: Any,
        info: strawberry.Info[Any, Any],
        **arguments: Any,
    ) -> Any:
        await info.context.let_go()  # what the mutation before this one kept
        try:
            RULES[f"Mutation.{info.field_name}"].check(info.context.somebody)
            return await next_(source, info, **arguments)
        except NotSignedIn:
            raise
        except Refused as refusal:
            payload: Any = info._field.type
            error = UserError(
                code=refusal.code,
                field=refusal.field,
                message=refusal.in_language(info.context.locale),
                word=WrongWord(**pointed) if (pointed := _pointed(refusal)) else None,
            )
            return payload(user_errors=[error])


def _pointed(refusal: Refused) -> dict[str, Any]:
    if not isinstance(refusal, WrongQuery):
        return {}
    return {"start": refusal.start, "end": refusal.end, "word": refusal.word, "nearest": refusal.nearest}


class Errors(SchemaExtension):
    """Refusals keep their code and speak the caller's language; whatever else went wrong is logged, and masked."""

    def on_operation(self) -> Iterator[None]:
        yield
        self._show(self.execution_context.result)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        """On a socket each result is sent before the operation ends."""
        self._show(result)
        yield

    def _show(self, result: Any) -> None:
        if errors := getattr(result, "errors", None):
            context = self.execution_context.context
            told = errors if errors[0].path else errors[:MOST]
            result.errors = [shown(error, context.locale) for error in told]
            for error in result.errors:
                if context.somebody is None:
                    error.message = _SUGGESTION.sub("", error.message)
                if len(error.message) > LONGEST:
                    error.message = error.message[:LONGEST] + "…"


def shown(error: GraphQLError, locale: str) -> GraphQLError:
    if isinstance(error, GraphQLSyntaxError) and "tokens" in error.message:
        return shown(
            GraphQLError("", original_error=OverLimit(limit="tokens", value=TOKENS + 1, most=TOKENS)), locale
        )
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error:
        cause = cause.original_error
    if cause is None or isinstance(cause, GraphQLError | NOT_OURS) or (error.nodes and not error.path):
        return error  # of the document or its variables: no resolver has been asked
    if isinstance(cause, Refused):
        message, code = cause.in_language(locale), cause.code
        if isinstance(cause, OverLimit):
            return GraphQLError(message, extensions={"code": code, **cause.values})
        if isinstance(cause, WrongQuery):
            told = {"code": code, "field": cause.field, **_pointed(cause)}
            return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=told)
    else:
        log.error("resolver_failed", path=error.path, exc_info=cause)
        message, code = translate(locale, N_("Something went wrong on our side.")), "INTERNAL"
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions={"code": code})
