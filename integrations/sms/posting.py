"""One call to a provider, and what its answer means whoever the provider is."""

from dataclasses import dataclass
from typing import Any

import httpx

from domain.answering.delivery_problems import Problem
from domain.certificates import trusted
from domain.retry_after import seconds_of
from integrations.outbound import AwaitsWord, ChannelRefused, MaybeSent, SendFailed, SendRefused

TIMEOUT = httpx.Timeout(15.0, connect=4.0)


@dataclass(frozen=True)
class Answered:
    status: int
    said: dict[str, Any]

    @property
    def is_good(self) -> bool:
        return self.status < 300


async def call(method: str, url: str | httpx.URL, **options: Any) -> Answered:
    """Raises SendFailed for what passes, MaybeSent where nobody knows whether the provider has acted on it."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, verify=trusted()) as http:
            answer = await http.request(method, url, **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as failure:
        raise SendFailed(
            f"the provider cannot be reached: {type(failure).__name__}", problem=Problem.DOWN
        ) from failure
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        raise MaybeSent(f"no answer: {type(failure).__name__}", problem=Problem.DOWN) from failure
    status = answer.status_code
    if status == 429:
        after = seconds_of(answer.headers.get("retry-after"))
        raise SendFailed("too many at once", problem=Problem.BUSY, after=after)
    if status in (502, 504):
        raise MaybeSent(f"HTTP {status}", problem=Problem.DOWN)
    said = _json(answer)
    if status >= 500:
        raise SendFailed(f"HTTP {status}", problem=Problem.DOWN)
    if said is None:
        if answer.is_success:
            raise MaybeSent("the answer was no JSON", problem=Problem.DOWN)
        raise SendFailed(f"HTTP {status}, and no JSON", problem=Problem.DOWN)
    return Answered(status, said)


def refused(status: int, words: str) -> SendFailed | SendRefused:
    """401 to 403 are about the account: the message waits until somebody mends it."""
    if status in (401, 402, 403):
        return not_let_in(words)
    return SendRefused(words)


def not_let_in(words: str) -> ChannelRefused:
    """The account or the sender is wrong, and not this message."""
    return ChannelRefused(words, problem=Problem.SIGN_IN_NEEDED)


def unsure(answer: Answered) -> AwaitsWord:
    """Whether an earlier try arrived was asked, and not told."""
    return AwaitsWord(f"the provider does not say what it has: HTTP {answer.status}", problem=Problem.DOWN)


def _json(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        said = answer.json()
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
