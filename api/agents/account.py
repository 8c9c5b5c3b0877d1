"""What people do with their own account: the password, the second factor, and how they are spoken to."""

import uuid
from datetime import datetime

import pyotp
import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.administration import AgentPayload, agent_payload
from api.context import Context, Info
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from domain import access, audit
from domain.actors import Actor, ActorKind
from domain.agents import invitations, passwords, second_factor, sign_in, staff, tries
from domain.agents.invitations import Purpose
from domain.agents.sign_in import Ended
from domain.audit import AuditKind
from domain.db import Json, database_time
from domain.errors import InvalidInput, LinkUsedUp, WrongCredentials
from domain.ids import row_id
from domain.languages import N_
from notifications.welcome import send_link


@strawberry.input
class PasswordChangeInput:
    current_password: str
    password: str
    client_mutation_id: strawberry.ID


@strawberry.input(description="`token`: from the link in the mail of an invitation or a reset.")
class PasswordSetInput:
    token: str
    password: str
    client_mutation_id: strawberry.ID


@strawberry.input
class PasswordResetRequestInput:
    email: str
    client_mutation_id: strawberry.ID


@strawberry.input
class SecondFactorBeginInput:
    client_mutation_id: strawberry.ID


@strawberry.input
class SecondFactorCodeInput:
    code: str
    client_mutation_id: strawberry.ID


@strawberry.input
class SecondFactorTakeOffInput:
    agent_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="How one is spoken to: `locale` is en, pl, es or ca, anything else the nearest of them. What is left out stays."
)
class ViewerUpdateInput:
    locale: str | None = None
    timezone: str | None = strawberry.field(default=None, description="By IANA: `Europe/Warsaw`.")
    client_mutation_id: strawberry.ID


@strawberry.type(description="`secret` (base32) or `uri` (as a QR code) goes into the authenticator.")
class SecondFactorPayload:
    secret: str | None = None
    uri: str | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(
    description="Each recovery code stands in for one code of the authenticator, once. Shown this once."
)
class RecoveryCodesPayload:
    recovery_codes: list[str] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _password_change(info: Info, input: PasswordChangeInput) -> OkPayload:
    context: Context = info.context
    house, mine = context.house, context.actor.id
    async with house.db.transaction() as session:
        agent = await session.get_one(staff.Agent, mine)
        now = await database_time(session)
        await tries.count(session, house.keys, account=agent.email, address=context.address, at=now)
    checked = agent.password_hash
    try:
        await passwords.check(input.current_password, checked)
    except WrongCredentials:
        raise WrongCredentials(field=["currentPassword"]) from None
    hashed = await passwords.hash_password(input.password)

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await session.get_one(staff.Agent, mine, with_for_update=True)
        if row.password_hash != checked:
            raise WrongCredentials(field=["currentPassword"])
        row.password_hash = hashed
        await tries.succeeded(session, house.keys, account=row.email, address=context.address)
        await invitations.spend_all(session, row.id, at=now)
        await sign_in.end_all(session, row.id, Ended.PASSWORD, at=now, but=context.session_id)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _password_reset_request(info: Info, input: PasswordResetRequestInput) -> OkPayload:
    """The answer is the same whoever is known here."""
    context: Context = info.context
    house = context.house
    async with house.db.transaction() as session:
        now = await database_time(session)
        await tries.count(
            session,
            house.keys,
            account=input.email,
            address=context.address,
            at=now,
            guessing=tries.Guessed.RESET,
        )

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if agent := await staff.account(session, input.email):
            await send_link(session, house.keys, house.base_url, agent, Purpose.RESET, at=now)
            asked = AuditKind.PASSWORD_LINK_ASKED
            audit.note(session, asked, by=actor, at=now, address=context.address, agent_id=agent.id)
        return {}

    await changed(info, input, change, by=Actor(ActorKind.CUSTOMER, _nobody(input.email)))
    return OkPayload(ok=True)


def _nobody(email: str) -> uuid.UUID:
    """In whose name an anonymous request is known again."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email.strip().lower()}")


async def _password_set(info: Info, input: PasswordSetInput) -> OkPayload:
    house = info.context.house
    async with house.db.transaction() as session:
        agent_id = await invitations.owner(session, input.token)
    if agent_id is None:
        raise LinkUsedUp(field=["token"])
    hashed = await passwords.hash_password(input.password)

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await invitations.redeem(session, input.token, at=now)
        agent.password_hash = hashed
        await tries.succeeded(session, house.keys, account=agent.email)
        await sign_in.end_all(session, agent.id, Ended.PASSWORD, at=now)
        return {}

    await changed(info, input, change, by=Actor(ActorKind.AGENT, agent_id))
    return OkPayload(ok=True)


async def _second_factor_begin(info: Info, input: SecondFactorBeginInput) -> SecondFactorPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await session.get_one(staff.Agent, actor.id)
        return {
            "secret": await second_factor.begin(session, info.context.house.keys, agent.id),
            "email": agent.email,
        }

    done = await changed(info, input, change)
    uri = pyotp.TOTP(done["secret"]).provisioning_uri(name=done["email"], issuer_name="Heddle")
    return SecondFactorPayload(secret=done["secret"], uri=uri)


async def _second_factor_confirm(info: Info, input: SecondFactorCodeInput) -> RecoveryCodesPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        assert actor.id
        keys = info.context.house.keys
        return {"codes": await second_factor.confirm(session, keys, actor.id, input.code, at=now)}

    await _counted(info)
    done = await changed(info, input, change)
    return RecoveryCodesPayload(recovery_codes=done["codes"])


async def _second_factor_remove(info: Info, input: SecondFactorCodeInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        assert actor.id
        await second_factor.remove(session, info.context.house.keys, actor.id, input.code, at=now)
        return {}

    await _counted(info)
    await changed(info, input, change)
    return OkPayload(ok=True)


async def _second_factor_take_off(info: Info, input: SecondFactorTakeOffInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await access.one(
            session, staff.Agent, row_id("Agent", input.agent_id, field="agentId"), to=actor
        )
        if agent.id == actor.agent_id:
            raise InvalidInput(N_("Ask another admin to change your own rights."), field=["agentId"])
        await second_factor.take_off(session, agent.id)
        await sign_in.end_all(session, agent.id, Ended.ENDED, at=now)
        return {"agent": str(agent.id)}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _viewer_update(info: Info, input: ViewerUpdateInput) -> AgentPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await session.get_one(staff.Agent, actor.id, with_for_update=True)
        agent.change(by=actor, at=now, locale=input.locale, timezone=input.timezone)
        return {"agent": str(agent.id)}

    return await agent_payload(info, await changed(info, input, change))


async def _counted(info: Info) -> None:
    """A code of six digits is guessed in no time where nobody counts."""
    context: Context = info.context
    async with context.house.db.transaction() as session:
        now = await database_time(session)
        account = str(context.actor.id)
        await tries.count(
            session, context.house.keys, account=account, address=None, at=now, guessing=tries.Guessed.CODE
        )


@strawberry.type
class AccountMutations:
    viewer_update: AgentPayload = mutation(resolver=_viewer_update)
    password_change: OkPayload = mutation(
        resolver=_password_change, description="Ends all other sessions of this person."
    )
    password_reset_request: OkPayload = mutation(
        resolver=_password_reset_request,
        description="Sends a link to whoever works here under this address; the answer says nothing about that.",
    )
    password_set: OkPayload = mutation(
        resolver=_password_set, description="By the link of an invitation or a reset; ends all sessions."
    )
    second_factor_begin: SecondFactorPayload = mutation(resolver=_second_factor_begin)
    second_factor_confirm: RecoveryCodesPayload = mutation(
        resolver=_second_factor_confirm, description="With the first code, it is asked for from then on."
    )
    second_factor_remove: OkPayload = mutation(resolver=_second_factor_remove)
    second_factor_take_off: OkPayload = mutation(
        resolver=_second_factor_take_off,
        description="Of a colleague who has lost the authenticator and the recovery codes. Ends all sessions of that person.",
    )
