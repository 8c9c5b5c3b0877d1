"""What was found when a channel's far end was asked whether it works."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from sqlalchemy import func, select

from domain.arriving.inbound import Arrival
from domain.certificates import trusted
from domain.languages import N_, translate
from domain.ways_in.channels import Channel
from integrations.outbound import Means

DEADLINE = 10.0
"""Seconds that one question may take."""


@dataclass(frozen=True)
class Finding:
    """`name` is stable; `values` fill the sentence."""

    name: str
    ok: bool
    sentence: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def in_language(self, locale: str) -> str:
        return translate(locale, self.sentence, **self.values)


async def in_time(name: str, asked: Awaitable[Finding]) -> Finding:
    try:
        async with asyncio.timeout(DEADLINE):
            return await asked
    except TimeoutError:
        return Finding(name, False, N_("No answer within {seconds} seconds."), {"seconds": int(DEADLINE)})


async def let_in(url: str | httpx.URL, **shown: Any) -> Finding:
    """Does a provider take the credentials? Asked for something that changes nothing; `shown` as httpx has it."""
    try:
        async with httpx.AsyncClient(verify=trusted()) as http:
            answer = await http.get(url, **shown)
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        return unasked(failure)
    if answer.is_success:
        return Finding("account", True, N_("The provider knows the account."))
    refused = N_("The provider does not take the credentials: HTTP {status}.")
    return Finding("account", False, refused, {"status": answer.status_code})


def unasked(failure: Exception) -> Finding:
    silent = N_("The provider cannot be asked: {said}.")
    return Finding("account", False, silent, {"said": str(failure) or type(failure).__name__})


async def heard(channel: Channel, means: Means) -> Finding:
    """When something came to its door last, and whether it showed the right secret."""
    async with means.db.reading() as connection:
        came: datetime | None = await connection.scalar(
            select(func.max(Arrival.received_at)).where(Arrival.channel_id == channel.id)
        )
    refused = channel.turned_away_at
    if refused and (came is None or refused > came):
        sentence = N_("What came last, {at}, was turned away: its signature or token was not right.")
        return Finding("webhook", False, sentence, {"at": _said(refused)})
    if came is None:
        return Finding("webhook", False, N_("Nothing has come yet."))
    return Finding(
        "webhook", True, N_("What came last, {at}, was signed as it should be."), {"at": _said(came)}
    )


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
