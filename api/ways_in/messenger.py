"""A Messenger page is connected: once its token is right, the rest is asked of Meta."""

import re
import secrets
import uuid
from datetime import datetime

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.errors import UserError
from api.mutations import changed, mutation
from api.selection import wanted
from api.ways_in.channels import Channel, channels_by_id
from domain.actors import Actor
from domain.db import Json
from domain.errors import InvalidInput
from domain.languages import N_
from domain.ways_in import channels
from domain.ways_in.channels import ChannelKind, add_channel
from integrations.channel_settings import read_settings
from integrations.messenger import connecting
from integrations.messenger.connecting import Connection
from integrations.messenger.page import MessengerPage
from integrations.setting_up import as_kept


@strawberry.input(
    description="Of a page that is connected already, its token and secret become these, and what waits is sent."
)
class MessengerPageConnectInput:
    page_token: str = strawberry.field(description="The page's long-lived access token.")
    app_secret: str = strawberry.field(description="Of the app in Meta's dashboard: it signs what comes.")
    name: str = strawberry.field(default="", description="Otherwise the page's own.")
    verify_token: str | None = strawberry.field(
        default=None, description="To be typed into Meta's form; otherwise one is made up."
    )
    client_mutation_id: strawberry.ID


@strawberry.type(description="`webhookUrl` and `verifyToken` go into Meta's form for the app's webhook.")
class MessengerPagePayload:
    channel: Channel | None = None
    webhook_url: str | None = None
    verify_token: str | None = None
    missing_fields: list[str] = strawberry.field(
        default_factory=list,
        description="Events that Meta does not hand over, most often for want of a permission; at most 13.",
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _messenger_page_connect(info: Info, input: MessengerPageConnectInput) -> MessengerPagePayload:
    house = info.context.house
    for field, given in (("pageToken", input.page_token), ("appSecret", input.app_secret)):
        if not given.strip() or not given.isascii():
            raise InvalidInput(N_("This is no token of Meta's."), field=[field])
    connection = await connecting.connect(
        house.integrations, page_token=input.page_token.strip(), app_secret=input.app_secret.strip()
    )

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        channel = await _kept(info, session, input, connection, by=actor, at=now)
        return {"channel": str(channel.id), "missing": connection.missing}

    done = await changed(info, input, change)
    id = uuid.UUID(done["channel"])
    async with house.db.transaction() as session:
        channel = await session.get_one(channels.Channel, id)
        page = MessengerPage.of(channel, house.keys)
    async with info.context.reading() as reading:
        shown = (await channels_by_id(reading, [id], wanted(info).below("channel"))).get(id)
    return MessengerPagePayload(
        channel=shown,
        webhook_url=f"{house.base_url.rstrip('/')}/hooks/messenger/{channel.slug}",
        verify_token=page.verify_token.get_secret_value(),
        missing_fields=list(done["missing"]),
    )


async def _kept(
    info: Info,
    session: AsyncSession,
    input: MessengerPageConnectInput,
    connection: Connection,
    *,
    by: Actor,
    at: datetime,
) -> channels.Channel:
    keys = info.context.house.keys
    said = {"page_token": input.page_token.strip(), "app_secret": input.app_secret.strip()}
    if input.verify_token:
        said["verify_token"] = input.verify_token
    known = await session.scalar(
        select(channels.Channel)
        .where(channels.Channel.kind == ChannelKind.MESSENGER, channels.Channel.address == connection.page_id)
        .with_for_update()
    )
    made_up = {"page_id": connection.page_id, "verify_token": secrets.token_urlsafe(24)}
    if known is not None:
        before, _ = as_kept(known, keys, made_up | said)
        page = read_settings(ChannelKind.MESSENGER, made_up | before | said)
        known.set_up(session, keys, config=page.config(), secrets=page.secrets(), by=by, at=at)
        return known
    page = read_settings(ChannelKind.MESSENGER, made_up | said)
    name = input.name.strip() or connection.name or connection.page_id
    added = await add_channel(
        session,
        keys,
        kind=ChannelKind.MESSENGER,
        slug=await _slug(session, name, connection.page_id),
        name=name,
        address=page.place(),
        config=page.config(),
        secrets=page.secrets(),
        by=by,
        at=at,
    )
    await session.flush()
    return added


async def _slug(session: AsyncSession, name: str, page_id: str) -> str:
    """Of the name, or where another channel has that, or nothing of it can stand in an address, of the page's id."""
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    taken = select(channels.Channel.id).where(channels.Channel.slug == made)
    if not made or await session.scalar(taken) is not None:
        return f"messenger-{page_id}"
    return made


@strawberry.type
class MessengerMutations:
    messenger_page_connect: MessengerPagePayload = mutation(
        resolver=_messenger_page_connect,
        description="Asks Meta whose token this is, subscribes the page, and makes the channel.",
    )
