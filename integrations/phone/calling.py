"""What every provider's client shares that makes calls: which call, and with what it is asked for."""

from dataclasses import dataclass

import httpx

from integrations.outbound import MaybeSent, SendFailed, SendRefused
from integrations.phone.line import PhoneLine
from integrations.settings import IntegrationSettings

RINGS = 30
"""Seconds for which the agent's telephone rings."""


@dataclass(frozen=True)
class Order:
    """One call to be made."""

    id: str
    """Ours: by it the call is known when its steps come."""
    slug: str
    line: PhoneLine
    telephone: str
    """The agent's, as the PBX knows it."""
    number: str


@dataclass(frozen=True)
class CallMeans:
    """What calls are asked for with."""

    http: httpx.AsyncClient
    settings: IntegrationSettings
    base_url: str


async def asked(
    request: httpx.Request, http: httpx.AsyncClient, auth: httpx.Auth | None = None
) -> httpx.Response:
    """What the provider's HTTP interface says to a request that must not be made twice. Without an answer, or with one of a
    server in trouble, nobody knows."""
    try:
        answer = await http.send(request, auth=auth)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as failure:
        raise SendFailed(f"no connection: {type(failure).__name__}") from failure
    except httpx.HTTPError as failure:
        raise MaybeSent(f"no answer: {type(failure).__name__}") from failure
    if answer.status_code == 429:
        raise SendFailed("too many calls at once")
    if answer.is_server_error:
        raise MaybeSent(f"answered {answer.status_code}")
    if not answer.is_success:
        raise SendRefused(_said(answer))
    return answer


def _said(answer: httpx.Response) -> str:
    """Twilio gives its errors a `code` and a `message`."""
    try:
        told = answer.json()
        return f"answered {answer.status_code}: {told['code']} {told['message']}"[:300]
    except (ValueError, KeyError, TypeError):
        return f"answered {answer.status_code}"
