"""Integrators' tokens, for admins."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from domain import access
from domain.access import may_see
from domain.actors import Actor, Scope
from domain.agents import tokens
from domain.agents.tokens import ApiToken
from domain.db import Json
from domain.ids import public_id, row_id

strawberry.enum(Scope, description="What an integrator's token may do.")


@strawberry.type(description="An integrator's token: its holder sees all teams, as far as its scopes go.")
class Token(Node):
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def _token(row: Any) -> Token:
    return plain(
        Token,
        {
            "id": public_id("Token", row.id),
            "name": row.name,
            "scopes": [Scope(scope) for scope in row.scopes],
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "last_used_at": row.last_used_at,
            "revoked_at": row.revoked_at,
        },
    )


async def _tokens(info: Info) -> list[Token]:
    async with info.context.reading() as reading:
        rows = await reading.connection.execute(
            select(ApiToken.__table__)
            .where(may_see(ApiToken, reading.actor))
            .order_by(ApiToken.revoked_at.is_not(None), ApiToken.created_at.desc())
            .limit(100)
        )
        return [_token(row) for row in rows]


@strawberry.input
class TokenCreateInput:
    name: str
    scopes: list[Scope]
    expires_at: datetime | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class TokenRevokeInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type(description="`secret` goes into `Authorization: Bearer …`; it is shown this once.")
class TokenPayload:
    token: Token | None = None
    secret: str | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _token_create(info: Info, input: TokenCreateInput) -> TokenPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        secret, row = tokens.create_token(
            session, name=input.name, scopes=input.scopes, expires_at=input.expires_at, by=actor, at=now
        )
        return {"secret": secret, "token": str(row.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        query = select(ApiToken.__table__).where(
            ApiToken.id == done["token"], may_see(ApiToken, reading.actor)
        )
        row = (await reading.connection.execute(query)).one()
    return TokenPayload(token=_token(row), secret=done["secret"])


async def _token_revoke(info: Info, input: TokenRevokeInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await access.one(session, ApiToken, row_id("Token", input.id), to=actor, lock=True)
        row.revoked_at = row.revoked_at or now
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class TokenQueries:
    tokens: list[Token] = strawberry.field(
        resolver=_tokens, description="Newest first, those that were revoked behind the others; at most 100."
    )


@strawberry.type
class TokenMutations:
    token_create: TokenPayload = mutation(resolver=_token_create)
    token_revoke: OkPayload = mutation(
        resolver=_token_revoke, description="At once, on open sockets within seconds."
    )
