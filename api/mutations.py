"""What every mutation does: its refusals become `userErrors`, and the same request twice is one change."""

from collections.abc import Awaitable, Callable
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import strawberry
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry import Some

from api.audited import note_mutation
from api.context import Info
from api.errors import UserErrors
from domain.actors import Actor
from domain.db import Json, begin_request, collided
from domain.errors import InvalidInput
from domain.languages import N_
from domain.once import once

mutation = partial(strawberry.mutation, extensions=[UserErrors()])

log = structlog.get_logger()

Change = Callable[[AsyncSession, Actor, datetime], Awaitable[Json]]

LONGEST_MUTATION_ID = 100


async def changed(info: Info, input: Any, change: Change, *, by: Actor | None = None) -> Json:
    """Makes the change in one transaction, once per `clientMutationId`; the result names the rows it touched. `change` is called again
    where it collided with another's.

    `by`: whoever it is that asks, where no session says so.
    """
    actor = by or info.context.actor
    id = str(input.client_mutation_id)
    if not 0 < len(id) <= LONGEST_MUTATION_ID:
        raise InvalidInput(N_("A clientMutationId has 1 to 100 characters."), field=["clientMutationId"])
    values, asked = asdict(input), asked_of(info.field_name, input)

    async def make(session: AsyncSession, now: datetime) -> Json:
        result = await change(session, actor, now)
        note_mutation(session, info.context, info.field_name, values, result, actor, now)
        return result

    async def tried() -> tuple[Json, datetime]:
        async with info.context.house.db.transaction() as session:
            now = await begin_request(session)
            result = await once(
                session,
                info.context.house.keys,
                partial(make, session, now),
                by=actor,
                client_mutation_id=id,
                asked=asked,
                at=now,
            )
        return result, now

    try:
        result, now = await tried()
    except DBAPIError as failure:
        if not collided(failure):
            raise
        log.info("mutation_collided", field=info.field_name)
        result, now = await tried()
    info.context.changed(now)
    return result


def asked_of(name: str, input: Any) -> str:
    """Without what stands as it does when it is left out: a later version, which knows more fields, is asked the same."""
    return orjson.dumps([name, _said(input)], option=orjson.OPT_SORT_KEYS, default=str).decode()


def _said(given: Any) -> Any:
    if isinstance(given, Some):
        return {"some": _said(given.value)}
    if isinstance(given, list):
        return [_said(one) for one in given]
    if is_dataclass(given):
        values = ((one, getattr(given, one.name)) for one in fields(given))
        return {one.name: _said(value) for one, value in values if value != _left_out(one)}
    return given


def _left_out(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
