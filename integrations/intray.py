"""Bodies that come to a webhook at the same time are kept in one transaction; each is answered when that has committed."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException

from domain.arriving.inbound import keep_all
from domain.db import Database
from domain.ways_in.channels import Channel, ChannelKind, channels_called
from integrations.webhook import well_formed

IsSigned = Callable[[bytes, str | None], bool]
"""Has a body the signature that it should have?"""


class Unsigned(Exception):
    def __init__(self, channel: Channel) -> None:
        super().__init__(channel.slug)
        self.channel = channel


@dataclass(eq=False)
class _Post:
    slug: str
    body: bytes
    signature: str | None
    kept: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Intray:
    """Of one kind of channel. What was kept while one transaction ran waits for the next."""

    def __init__(self, db: Database, kind: ChannelKind, checks: Callable[[Channel], IsSigned]) -> None:
        self._db, self._kind, self._checks = db, kind, checks
        self._waiting: list[_Post] = []
        self._keeping: asyncio.Task[None] | None = None

    async def keep(self, slug: str, body: bytes, signature: str | None) -> None:
        """Raises Unsigned, and HTTPException for what is no JSON object or comes to no channel."""
        post = _Post(slug, body, signature)
        self._waiting.append(post)
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep_waiting())
        await post.kept

    async def _keep_waiting(self) -> None:
        while posts := self._waiting:
            self._waiting = []
            if not await self._answered(posts):
                for post in posts:
                    await self._answered([post])
        self._keeping = None

    async def _answered(self, posts: Sequence[_Post]) -> bool:
        """What several cannot be kept for, one alone is told."""
        try:
            answers: Sequence[Exception | None] = await self._kept(posts)
        except Exception as failure:
            if len(posts) > 1:
                return False
            answers = [failure]
        for post, why in zip(posts, answers, strict=True):
            if post.kept.done():  # who sent it has gone
                continue
            if why:
                post.kept.set_exception(why)
            else:
                post.kept.set_result(None)
        return True

    async def _kept(self, posts: Sequence[_Post]) -> list[Exception | None]:
        """Why each was not, if it was not."""
        async with self._db.transaction() as session:
            channels = await channels_called(session, self._kind, {post.slug for post in posts})
            checks = {slug: self._checks(channel) for slug, channel in channels.items()}
            answers = [_fault(post, channels.get(post.slug), checks.get(post.slug)) for post in posts]
            good = [post for post, why in zip(posts, answers, strict=True) if why is None]
            if good:
                await keep_all(
                    session,
                    [(channels[one.slug], hashlib.sha256(one.body).hexdigest(), one.body) for one in good],
                )
        return answers


def _fault(post: _Post, channel: Channel | None, is_signed: IsSigned | None) -> Exception | None:
    if channel is None or is_signed is None:
        return HTTPException(404, "no such channel")
    if not is_signed(post.body, post.signature):
        return Unsigned(channel)
    try:
        well_formed(post.body)
    except HTTPException as wrong:
        return wrong
    return None
