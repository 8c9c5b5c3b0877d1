"""Posts events to who subscribed, and writes down what became of each attempt."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import perf_counter

import httpx
import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from domain.certificates import trusted
from domain.db import Database, database_time
from domain.following import follow
from domain.hands import work
from domain.keys import Keys
from domain.retry_after import seconds_of
from domain.webhooks import (
    OFF_AFTER,
    POSTS,
    Attempt,
    Post,
    PostState,
    SwitchedOff,
    Webhook,
    signature,
    switch_off,
    tell,
)
from domain.work import Lease
from integrations.outbound import SendRefused
from integrations.settings import IntegrationSettings
from integrations.subscribers.addresses import targets_of

log = structlog.get_logger()

READER = "webhooks"
HANDS = 4
LONGEST = 15.0
"""Seconds for one attempt, the looking up of the name included."""
CONNECT = 5.0
"""Of these, for a connection; within them httpx itself closes what does not come about."""
READING = 2.0
"""Seconds for the rest of an answer, once its status is known."""
ANSWER = 1024
"""Bytes that are read of it."""
WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each next attempt; after the last it is given up."""


@dataclass(frozen=True)
class Outcome:
    status: int | None = None
    error: str | None = None
    answer: str = ""
    retry_after: float = 0.0

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Subscribers:
    def __init__(self, db: Database, keys: Keys, settings: IntegrationSettings) -> None:
        self._db = db
        self._keys = keys
        self._private = settings.webhooks_private
        self._http = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
            timeout=httpx.Timeout(LONGEST, connect=CONNECT),
            # Two names may lie at one address: neither a connection nor a cookie of the one is the other's.
            limits=httpx.Limits(max_keepalive_connections=0),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def run(self) -> None:
        async with self._http, asyncio.TaskGroup() as group:
            group.create_task(follow(self._db, READER, tell))
            group.create_task(work(self._db, POSTS, self.post, hands=HANDS))

    async def post(self, post: Post, lease: Lease[Post]) -> None:
        async with self._db.transaction() as session:
            webhook = await session.get_one(Webhook, post.webhook_id)
            now = await database_time(session)
        begun = perf_counter()
        outcome = await self._send(webhook, post, now)
        milliseconds = int((perf_counter() - begun) * 1000)
        async with self._db.transaction() as session:
            at = await database_time(session)
            await self._settle(session, webhook.url, post, lease, outcome, at)
            session.add(
                Attempt(
                    post_id=post.id,
                    at=now,
                    milliseconds=milliseconds,
                    status=outcome.status,
                    error=outcome.error,
                    answer=outcome.answer,
                )
            )

    async def _settle(
        self, session: AsyncSession, url: str, post: Post, lease: Lease[Post], outcome: Outcome, at: datetime
    ) -> None:
        webhook = await session.get_one(Webhook, post.webhook_id, with_for_update=True)
        if outcome.arrived:
            webhook.failing_since = None
            await lease.settle(session, state=PostState.DELIVERED, last_error=None)
            return
        error = outcome.error or f"answered {outcome.status}"
        log.warning("webhook_failed", webhook=str(webhook.id), post=str(post.id), error=error)
        if post.failures < len(WAITS):
            wait = max(WAITS[post.failures] * random.uniform(1.0, 1.1), min(outcome.retry_after, WAITS[-1]))
            await lease.retry(session, after=wait, error=error)
        else:
            await lease.give_up(session, error=error)
        if webhook.url != url:  # the new address has done nothing wrong
            return
        webhook.failing_since = webhook.failing_since or at
        if webhook.off_at is None and outcome.status == 410:
            await switch_off(session, self._keys, webhook, SwitchedOff.GONE, at=at)
        elif webhook.off_at is None and at - webhook.failing_since > OFF_AFTER:
            await switch_off(session, self._keys, webhook, SwitchedOff.FAILING, at=at)

    async def _send(self, webhook: Webhook, post: Post, at: datetime) -> Outcome:
        body, timestamp = orjson.dumps(post.payload), int(at.timestamp())
        signatures = [
            signature(secret, post.public_id, timestamp, body)
            for secret in webhook.secrets(self._keys, at=at)
        ]
        headers = {
            "content-type": "application/json",
            "user-agent": "Heddle-Webhooks",
            "webhook-id": post.public_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }
        try:
            async with asyncio.timeout(LONGEST):
                answer = await self._answer(webhook.url, body, headers)
        except TimeoutError:
            return Outcome(error=f"no answer in {LONGEST:.0f} s")
        except SendRefused as refusal:
            return Outcome(error=str(refusal))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as failure:
            return Outcome(error=f"{type(failure).__name__}: {failure}"[:200])
        said = (await _beginning(answer)).decode("utf-8", "replace").replace("\x00", "�")
        return Outcome(answer.status_code, None, said, seconds_of(answer.headers.get("retry-after")) or 0.0)

    async def _answer(self, url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Of the first of its addresses that takes a connection."""
        *others, last = (
            self._http.build_request("POST", content=body, **target.asked(headers))
            for target in await targets_of(url, private=self._private)
        )
        for request in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._http.send(request, stream=True)
        return await self._http.send(last, stream=True)


async def _beginning(answer: httpx.Response) -> bytes:
    """Of a body: whatever becomes of the rest, the status has said whether it arrived."""
    said = b""
    try:
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(READING):
                async for part in answer.aiter_raw():
                    said += part
                    if len(said) >= ANSWER:
                        break
    finally:
        await answer.aclose()
    return said[:ANSWER]
