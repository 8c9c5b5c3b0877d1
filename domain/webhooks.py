"""Whoever else is to hear what happens: an address that events are posted to, and what became of each.

By Standard Webhooks. An event is posted to an endpoint under one id however often it is tried, signed with the endpoint's
secret, and during a rotation with the one before as well. The body holds ids and codes: what customers wrote is asked for
by the API, by who may.
"""

import base64
import hmac
import secrets
import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    UniqueConstraint,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from domain.actors import Role
from domain.agents.staff import Agent
from domain.agents.system_mail import post
from domain.db import Base, Json, new_id, ring
from domain.desk.messages import Item
from domain.errors import InvalidInput
from domain.events import Event, EventKind
from domain.finding.filters import checked, met_by
from domain.ids import public_id
from domain.keys import Keys
from domain.languages import N_, translate
from domain.webhook_payloads import body, payload_of
from domain.work import Queue, Work

TEST = "test"
OVERLAP = timedelta(hours=24)
"""How long the secret before a rotation still signs."""
OFF_AFTER = timedelta(days=5)
"""Of nothing but failures."""
KEPT_FOR = timedelta(days=30)
MOST = 100


class SwitchedOff(StrEnum):
    BY_HAND = "by_hand"
    GONE = "gone"
    """It answered 410: do not come again."""
    FAILING = "failing"


class PostState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Webhook(Base):
    __tablename__ = "webhook"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    url: Mapped[str]
    description: Mapped[str]
    kinds: Mapped[list[str]]
    """Of the events it hears of; all, if there are none."""
    filter: Mapped[str] = mapped_column(default="", server_default="")
    """A query that the event's ticket must meet; what is of no ticket is not told then. Empty: all."""
    sealed: Mapped[bytes]
    """`secret` and, for a while after a rotation, `before`."""
    rotated_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    off_at: Mapped[datetime | None]
    off_because: Mapped[SwitchedOff | None]
    failing_since: Mapped[datetime | None]

    def secrets(self, keys: Keys, *, at: datetime) -> list[str]:
        """Those that sign now, the newest first."""
        kept = keys.decrypt(self.sealed)
        overlaps = self.rotated_at is not None and at < self.rotated_at + OVERLAP
        return [kept["secret"], kept["before"]] if overlaps else [kept["secret"]]

    def rotate(self, keys: Keys, *, at: datetime) -> str:
        before, secret = keys.decrypt(self.sealed)["secret"], new_secret()
        self.sealed, self.rotated_at = keys.encrypt({"secret": secret, "before": before}), at
        return secret

    def switch(self, *, on: bool, at: datetime) -> None:
        if on:
            self.off_at = self.off_because = self.failing_since = None
        elif self.off_at is None:
            self.off_at, self.off_because = at, SwitchedOff.BY_HAND


class Post(Work, Base):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_post"
    __table_args__ = (
        UniqueConstraint("event_seq", "webhook_id"),
        Index(None, "webhook_id", "id"),
        Index("ix_webhook_post_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_webhook_post_created", "created_at", postgresql_using="brin"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    event_seq: Mapped[int | None] = mapped_column(BigInteger)
    """None of a test."""
    kind: Mapped[str]
    payload: Mapped[Json]
    state: Mapped[PostState] = mapped_column(default=PostState.WAITING)
    created_at: Mapped[datetime]

    @property
    def public_id(self) -> str:
        """The same at each attempt: by it a receiver knows what it has seen."""
        return f"msg_{self.id.hex}"

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.state = PostState.FAILED

    def again(self, session: AsyncSession) -> None:
        """From the first wait on."""
        self.state, self.failures, self.failing_since, self.deaths = PostState.WAITING, 0, None, 0
        self.due_at = func.now()
        ring(session, POSTS.topic)


class Attempt(Base):
    __tablename__ = "webhook_attempt"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    post_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook_post.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    milliseconds: Mapped[int]
    status: Mapped[int | None]
    """None where there was no answer."""
    error: Mapped[str | None]
    answer: Mapped[str]
    """Its beginning."""


_other = aliased(Post)

POSTS = Queue(
    Post,
    topic="webhooks",
    patience=OFF_AFTER,
    outward=True,
    # Who fails is tried one post at a time: one that hangs does not keep all hands from the others.
    ready=exists(
        select(Webhook.id).where(
            Webhook.id == Post.webhook_id,
            Webhook.off_at.is_(None),
            or_(
                Webhook.failing_since.is_(None),
                ~exists(
                    select(_other.id).where(
                        _other.webhook_id == Post.webhook_id, _other.deaths > 0, _other.due_at > func.now()
                    )
                ),
            ),
        )
    ),
)


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(signed).decode()


async def add_webhook(
    session: AsyncSession,
    keys: Keys,
    *,
    url: str,
    description: str,
    kinds: list[EventKind],
    at: datetime,
    filter: str = "",
) -> tuple[Webhook, str]:
    """The endpoint and its secret, which is shown this once."""
    if (await session.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST:
        raise InvalidInput(N_("There are {most} of these already."), field=["url"], most=MOST)
    secret = new_secret()
    webhook = Webhook(
        id=new_id(),
        url=url,
        description=description,
        kinds=list(kinds),
        filter=await checked(session, filter),
        sealed=keys.encrypt({"secret": secret}),
        created_at=at,
    )
    session.add(webhook)
    return webhook, secret


async def tell(session: AsyncSession, event: Event) -> None:
    """One post to each endpoint that hears of such events."""
    if event.kind == EventKind.TICKET_IMPORTED:
        return
    wanted = Webhook.kinds.contains([event.kind.value]) | (func.jsonb_array_length(Webhook.kinds) == 0)
    found = await session.execute(select(Webhook.id, Webhook.filter).where(Webhook.off_at.is_(None), wanted))
    filters = {row.id: row.filter for row in found}
    met = await met_by(session, event, filters)
    hearing = [id for id, written in filters.items() if not written or id in met]
    if not hearing:
        return
    item = await session.scalar(select(Item.kind).where(Item.id == event.item_id)) if event.item_id else None
    payload = payload_of(event, item)
    for webhook_id in hearing:
        _post(session, webhook_id, event.kind, payload, at=event.recorded_at, event_seq=event.seq)


def test(session: AsyncSession, webhook: Webhook, *, at: datetime) -> Post:
    return _post(
        session, webhook.id, TEST, body(TEST, at, {"webhookId": public_id("Webhook", webhook.id)}), at=at
    )


def _post(
    session: AsyncSession,
    webhook_id: uuid.UUID,
    kind: str,
    payload: Json,
    *,
    at: datetime,
    event_seq: int | None = None,
) -> Post:
    made = Post(
        id=new_id(),
        webhook_id=webhook_id,
        kind=kind,
        payload=payload,
        created_at=at,
        event_seq=event_seq,
        due_at=func.now(),
    )
    session.add(made)
    ring(session, POSTS.topic)
    return made


async def switch_off(
    session: AsyncSession, keys: Keys, webhook: Webhook, because: SwitchedOff, *, at: datetime
) -> None:
    """What waits is given up (it can be asked for again), and the admins are told by mail."""
    webhook.off_at, webhook.off_because = at, because
    waiting = (Post.webhook_id == webhook.id, Post.due_at.is_not(None))
    await session.execute(update(Post).where(*waiting).values(due_at=None, state=PostState.FAILED))
    admins = await session.scalars(select(Agent).where(Agent.role == Role.ADMIN, Agent.left_at.is_(None)))
    subject = N_("A webhook was switched off")
    gone = N_(
        "Hello {name},\n\nHeddle no longer posts events to\n\n{url}\n\nbecause that address answered that it is gone.\n"
    )
    failing = N_(
        "Hello {name},\n\nHeddle no longer posts events to\n\n{url}\n\nbecause nothing has arrived there for five days. What was "
        "not delivered can be sent again from the list of deliveries.\n"
    )
    for admin in admins.all():
        said = translate(
            admin.locale, gone if because == SwitchedOff.GONE else failing, name=admin.name, url=webhook.url
        )
        post(session, keys, to=admin.email, subject=translate(admin.locale, subject), text=said, at=at)
