"""Signing in and out."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api import auth
from api.agents.viewer import Viewer, read_viewer
from api.context import Context, Info
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.selection import wanted
from domain import audit
from domain.access import may_see
from domain.actors import Actor, ActorKind
from domain.agents import passwords, second_factor, sign_in, staff, tries
from domain.agents.sign_in import Ended, SessionKind, SignIn, Tokens
from domain.audit import AuditKind
from domain.db import Json, database_time
from domain.errors import InvalidInput, NotFound, NotSignedIn, Refused, WrongCredentials
from domain.ids import row_id
from domain.languages import N_


@strawberry.input
class SignInInput:
    email: str
    password: str
    totp: str | None = strawberry.field(
        default=None, description="The authenticator's code, or a recovery code, where one is asked for."
    )
    web: bool = strawberry.field(
        default=False,
        description="For a browser: the session is a cookie, and requests carry `csrfToken` in `X-CSRF-Token`.",
    )
    device_label: str | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class SessionRefreshInput:
    refresh_token: str
    client_mutation_id: strawberry.ID


@strawberry.input
class SignOutInput:
    everywhere: bool = False
    client_mutation_id: strawberry.ID


@strawberry.input
class SessionEndInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type(
    description="`accessToken` goes into `Authorization: Bearer …` until `expiresAt`; `refreshToken` is good once, for the "
    "next pair. Of a browser's session only `csrfToken` is given: the rest is in the cookie."
)
class SessionPayload:
    access_token: str | None = None
    refresh_token: str | None = None
    csrf_token: str | None = None
    expires_at: datetime | None = None
    viewer: Viewer | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _sign_in(info: Info, input: SignInInput) -> SessionPayload:
    context: Context = info.context
    house = context.house
    if input.web and context.response is None:
        raise InvalidInput(N_("A cookie cannot be set on a socket."), field=["web"])
    async with house.db.transaction() as session:
        now = await database_time(session)
        await tries.count(session, house.keys, account=input.email, address=context.address, at=now)
        known = await staff.account(session, input.email)
    try:
        await passwords.check(input.password, known.password_hash if known else None)
        if known is None:
            raise WrongCredentials
    except WrongCredentials as refusal:
        await _note_failure(context, known, refusal)
        raise
    agent_id, checked = known.id, known.password_hash

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await session.get_one(staff.Agent, agent_id, with_for_update=True)
        if agent.password_hash != checked or agent.left_at:
            raise WrongCredentials
        await second_factor.prove(session, house.keys, agent_id, input.totp, at=now)
        await tries.succeeded(session, house.keys, account=input.email, address=context.address)
        kind = SessionKind.WEB if input.web else SessionKind.APP
        row, given = sign_in.begin(
            session, agent_id, kind, device_label=input.device_label, address=context.address, at=now
        )
        return _given(row, given)

    try:
        done = await changed(info, input, change, by=known.as_actor())
    except WrongCredentials as refusal:
        await _note_failure(context, known, refusal)
        raise
    return await _session_payload(info, done)


async def _note_failure(context: Context, known: staff.Agent | None, refusal: Refused) -> None:
    nobody = Actor(ActorKind.CUSTOMER)
    async with context.house.db.transaction() as session:
        audit.note(
            session,
            AuditKind.SIGN_IN_FAILED,
            by=nobody,
            at=await database_time(session),
            address=context.address,
            agent_id=known.id if known else None,
            data={"code": refusal.code},
        )


def _given(row: SignIn, tokens: Tokens) -> Json:
    return {
        "session": str(row.id),
        "kind": row.kind,
        "access": tokens.access,
        "refresh": tokens.refresh,
        "expires_at": tokens.expires_at.isoformat(),
    }


async def _session_payload(info: Info, done: Json) -> SessionPayload:
    """From now on this request is theirs."""
    context: Context = info.context
    context.token, context.session_id = done["access"], uuid.UUID(done["session"])
    context.somebody = await context.still()
    if context.somebody is None:
        raise NotSignedIn
    context.permit()
    payload = SessionPayload(
        expires_at=datetime.fromisoformat(done["expires_at"]),
        viewer=await read_viewer(context, wanted(info).below("viewer")),
    )
    if done["kind"] == SessionKind.WEB and context.response is not None:
        auth.set_cookies(context.house, context.response, done["access"], context.session_id)
        payload.csrf_token = auth.csrf_token(context.house, context.session_id)
    else:
        payload.access_token, payload.refresh_token = done["access"], done["refresh"]
    return payload


async def _session_refresh(info: Info, input: SessionRefreshInput) -> SessionPayload:
    async with info.context.house.db.transaction() as session:
        agent_id = (await sign_in.refresh_owner(session, input.refresh_token)).agent_id

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await sign_in.refresh_owner(session, input.refresh_token)
        given = await sign_in.refreshed(session, row, input.refresh_token, at=now)
        if given is None:
            reused = AuditKind.SESSION_REUSED
            audit.note(session, reused, by=actor, at=now, address=info.context.address, agent_id=row.agent_id)
            return {}
        return _given(row, given)

    done = await changed(info, input, change, by=Actor(ActorKind.AGENT, agent_id))
    if not done:  # refusing inside the transaction would have left the thief's session alive
        raise NotSignedIn
    return await _session_payload(info, done)


async def _sign_out(info: Info, input: SignOutInput) -> OkPayload:
    context: Context = info.context
    async with context.house.db.transaction() as session:
        mine = await sign_in.session_of_token(session, context.token or "")
    if mine is None:
        raise NotSignedIn

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await session.get_one(SignIn, mine.id, with_for_update=True)
        if row.ended_at:
            raise NotSignedIn
        if input.everywhere:
            await sign_in.end_all(session, row.agent_id, Ended.SIGNED_OUT, at=now)
        row.end(Ended.SIGNED_OUT, at=now)
        return {}

    await changed(info, input, change, by=Actor(ActorKind.AGENT, mine.agent_id))
    if isinstance(context.response, Response):
        auth.delete_cookies(context.house, context.response)
    return OkPayload(ok=True)


async def _session_end(info: Info, input: SessionEndInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await session.scalar(
            select(SignIn)
            .where(SignIn.id == row_id("Session", input.id), may_see(SignIn, actor))
            .with_for_update()
        )
        if row is None:
            raise NotFound(field=["id"])
        row.end(Ended.ENDED, at=now)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class SessionMutations:
    sign_in: SessionPayload = mutation(resolver=_sign_in)
    session_refresh: SessionPayload = mutation(
        resolver=_session_refresh,
        description="The next pair of tokens. A refresh token that was used before ends its session.",
    )
    sign_out: OkPayload = mutation(resolver=_sign_out)
    session_end: OkPayload = mutation(
        resolver=_session_end, description="Ends a session of one's own, on whatever device."
    )
