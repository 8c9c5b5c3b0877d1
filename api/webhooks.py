"""Outgoing webhooks, for admins."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.scalars import JSON

from api.context import Info, Reading, by, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from api.selection import Selection, wanted
from domain import access, webhooks
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json, one_of
from domain.errors import InvalidInput
from domain.events import EventKind
from domain.finding import filters
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.webhooks import Attempt, Post, PostState, SwitchedOff
from integrations.outbound import SendRefused
from integrations.subscribers.addresses import check_url

strawberry.enum(EventKind, description="What happens. Webhooks name it in small letters.")
strawberry.enum(
    SwitchedOff, name="WebhookOffReason", description="GONE: it answered 410. FAILING: for five days."
)
strawberry.enum(PostState, name="WebhookDeliveryState")


@strawberry.type(description="An address that events are posted to, by Standard Webhooks.")
class Webhook(Node):
    url: str
    description: str
    events: list[EventKind] = strawberry.field(description="All, if there are none.")
    filter: str = strawberry.field(
        description="A query, as `tickets` takes it, that the event's ticket must meet; empty: all are told."
    )
    enabled: bool
    off_because: SwitchedOff | None
    off_at: datetime | None
    failing_since: datetime | None = strawberry.field(description="Since when nothing has arrived.")
    created_at: datetime


@strawberry.type
class WebhookAttempt:
    at: datetime
    milliseconds: int
    status: int | None = strawberry.field(description="None where there was no answer.")
    error: str | None
    answer: str = strawberry.field(description="Its first kilobyte.")


@strawberry.type(description="One event, on its way to one address.")
class WebhookDelivery(Node):
    event: str = strawberry.field(description="As the payload's `type` says it; `test` of a test.")
    state: PostState
    payload: JSON
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: list[WebhookAttempt] = strawberry.field(description="Oldest first; at most the newest 100.")


@strawberry.input(description="Without `id` a new one. What is left out stays.")
class WebhookSaveInput:
    id: strawberry.ID | None = None
    url: str | None = None
    description: str | None = None
    events: list[EventKind] | None = None
    filter: str | None = strawberry.field(
        default=None, description="Events of tickets that meet this query, and of nothing else; empty: all."
    )
    enabled: bool | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class WebhookInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type(description="`secret` verifies the signatures; it is shown this once.")
class WebhookPayload:
    webhook: Webhook | None = None
    secret: str | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class WebhookDeliveryPayload:
    delivery: WebhookDelivery | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _webhooks_where(reading: Reading, *conditions: Any) -> list[Webhook]:
    row_of = webhooks.Webhook
    query = select(row_of.__table__).where(may_see(row_of, reading.actor), *conditions)
    rows = await reading.connection.execute(query.order_by(row_of.id).limit(webhooks.MOST))
    return [
        plain(
            Webhook,
            {
                "id": public_id("Webhook", row.id),
                "url": row.url,
                "description": row.description,
                "events": [EventKind(kind) for kind in row.kinds],
                "filter": row.filter,
                "enabled": row.off_at is None,
                "off_because": row.off_because,
                "off_at": row.off_at,
                "failing_since": row.failing_since,
                "created_at": row.created_at,
            },
        )
        for row in rows
    ]


async def _deliveries_where(
    reading: Reading, *conditions: Any, first: int, selection: Selection
) -> list[WebhookDelivery]:
    query = select(Post.__table__).where(may_see(Post, reading.actor), *conditions)
    rows = (await reading.connection.execute(query.order_by(Post.id.desc()).limit(first))).all()
    attempts: dict[Any, list[Any]] = {}
    if "attempts" in selection and rows:
        table = Attempt.__table__.c
        tried = select(Attempt.__table__).where(one_of(table.post_id, [row.id for row in rows]))
        attempts = by("post_id", (await reading.connection.execute(tried.order_by(table.at))).all())
    return [
        plain(
            WebhookDelivery,
            {
                "id": public_id("WebhookDelivery", row.id),
                "event": row.kind,
                "state": row.state,
                "payload": row.payload,
                "created_at": row.created_at,
                "next_attempt_at": row.due_at,
                "attempts": [
                    WebhookAttempt(
                        at=one.at,
                        milliseconds=one.milliseconds,
                        status=one.status,
                        error=one.error,
                        answer=one.answer,
                    )
                    for one in attempts.get(row.id, [])[-100:]
                ],
            },
        )
        for row in rows
    ]


async def _webhooks(info: Info) -> list[Webhook]:
    async with info.context.reading() as reading:
        return await _webhooks_where(reading)


async def _webhook_deliveries(
    info: Info, webhook_id: strawberry.ID, states: list[PostState] | None = None, first: int = 25
) -> list[WebhookDelivery]:
    conditions = [Post.webhook_id == row_id("Webhook", webhook_id, field="webhookId")]
    if states is not None:
        conditions.append(Post.state.in_(states))
    async with info.context.reading() as reading:
        return await _deliveries_where(reading, *conditions, first=page_size(first), selection=wanted(info))


async def _webhook_save(info: Info, input: WebhookSaveInput) -> WebhookPayload:
    if input.url is not None or input.id is None:
        try:
            check_url(input.url or "", private=info.context.house.integrations.webhooks_private)
        except SendRefused:
            raise InvalidInput(N_("This is not an https:// address."), field=["url"]) from None

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        keys = info.context.house.keys
        if input.id is None:
            row, secret = await webhooks.add_webhook(
                session,
                keys,
                url=input.url or "",
                description=input.description or "",
                kinds=input.events or [],
                filter=input.filter or "",
                at=now,
            )
        else:
            row, secret = await _held(session, input.id, actor), ""
            if input.url is not None and input.url != row.url:
                row.url, row.failing_since = input.url, None
            row.description = input.description if input.description is not None else row.description
            row.kinds = list(input.events) if input.events is not None else row.kinds
            if input.filter is not None:
                row.filter = await filters.checked(session, input.filter)
        if input.enabled is not None:
            row.switch(on=input.enabled, at=now)
        return {"webhook": str(row.id), "secret": secret}

    return await _payload(info, await changed(info, input, change))


async def _webhook_rotate_secret(info: Info, input: WebhookInput) -> WebhookPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await _held(session, input.id, actor)
        return {"webhook": str(row.id), "secret": row.rotate(info.context.house.keys, at=now)}

    return await _payload(info, await changed(info, input, change))


async def _webhook_delete(info: Info, input: WebhookInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        await session.delete(await _held(session, input.id, actor))
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _webhook_test(info: Info, input: WebhookInput) -> WebhookDeliveryPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        return {"post": str(webhooks.test(session, await _held(session, input.id, actor), at=now).id)}

    return await _delivery_payload(info, await changed(info, input, change))


async def _webhook_replay(info: Info, input: WebhookInput) -> WebhookDeliveryPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = await access.one(session, Post, row_id("WebhookDelivery", input.id), to=actor, lock=True)
        row.again(session)
        return {"post": str(row.id)}

    return await _delivery_payload(info, await changed(info, input, change))


async def _held(session: AsyncSession, id: str, actor: Actor) -> webhooks.Webhook:
    return await access.one(session, webhooks.Webhook, row_id("Webhook", id), to=actor, lock=True)


async def _payload(info: Info, done: Json) -> WebhookPayload:
    async with info.context.reading() as reading:
        found = await _webhooks_where(reading, webhooks.Webhook.id == uuid.UUID(done["webhook"]))
    return WebhookPayload(webhook=found[0] if found else None, secret=done["secret"] or None)


async def _delivery_payload(info: Info, done: Json) -> WebhookDeliveryPayload:
    selection = wanted(info).below("delivery")
    async with info.context.reading() as reading:
        found = await _deliveries_where(
            reading, Post.id == uuid.UUID(done["post"]), first=1, selection=selection
        )
    return WebhookDeliveryPayload(delivery=found[0] if found else None)


@strawberry.type
class WebhookQueries:
    webhooks: list[Webhook] = strawberry.field(resolver=_webhooks, description="There are at most 100.")
    webhook_deliveries: list[WebhookDelivery] = strawberry.field(
        resolver=_webhook_deliveries, description="Newest first; they are kept for thirty days."
    )


@strawberry.type
class WebhookMutations:
    webhook_save: WebhookPayload = mutation(resolver=_webhook_save)
    webhook_rotate_secret: WebhookPayload = mutation(
        resolver=_webhook_rotate_secret, description="For 24 hours the secret before signs as well."
    )
    webhook_delete: OkPayload = mutation(resolver=_webhook_delete, description="With all its deliveries.")
    webhook_test: WebhookDeliveryPayload = mutation(
        resolver=_webhook_test, description="Posts an event `test`; its delivery tells what happened."
    )
    webhook_replay: WebhookDeliveryPayload = mutation(
        resolver=_webhook_replay, description="Posts a delivery again, under the same id."
    )
