"""One call to a provider, and what its answer means whoever the provider is."""

from dataclasses import dataclass
from typing import Any

import httpx

from integrations.outbound import MaybeSent, SendFailed, SendRefused

TIMEOUT = httpx.Timeout(15.0, connect=4.0)
UNSURE = "It may have arrived: "
"""How the reason begins of a try of which nobody knows what became."""


@dataclass(frozen=True)
class Answered:
    status: int
    said: dict[str, Any]

    @property
    def is_good(self) -> bool:
        return self.status < 300


async def call(method: str, url: str, **options: Any) -> Answered:
    """Raises SendFailed for what passes, MaybeSent where nobody knows whether the provider has acted on it."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT) as http:
            answer = await http.request(method, url, **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as failure:
        raise SendFailed(f"the provider cannot be reached: {type(failure).__name__}") from failure
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        raise MaybeSent(f"{UNSURE}no answer ({type(failure).__name__})") from failure
    status = answer.status_code
    if status == 429:
        raise SendFailed("too many at once", after=_seconds(answer.headers.get("retry-after")))
    if status in (502, 504):
        raise MaybeSent(f"{UNSURE}HTTP {status}")
    said = _json(answer)
    if status >= 500:
        raise SendFailed(f"HTTP {status}")
    if said is None:
        if answer.is_success:
            raise MaybeSent(f"{UNSURE}the answer was no JSON")
        raise SendFailed(f"HTTP {status}, and no JSON")
    return Answered(status, said)


def refused(status: int, words: str) -> SendFailed | SendRefused:
    """401 and 403 are about the account: the message waits until somebody mends it."""
    if status in (401, 402, 403):
        return SendFailed(f"the provider does not let us in: {words}")
    return SendRefused(words)


def _seconds(written: str | None) -> float | None:
    return float(written) if written and written.isdecimal() else None


def _json(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        said = answer.json()
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
