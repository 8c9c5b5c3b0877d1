"""What every provider's client shares that makes calls: which call, and with what it is asked for."""

from dataclasses import dataclass

import httpx

from domain.languages import N_
from integrations.outbound import MaybeSent, SendFailed, SendRefused
from integrations.phone.line import PhoneLine
from integrations.settings import IntegrationSettings

RINGS = 30
"""Seconds for which the agent's telephone rings."""

NOT_REACHED = N_("The provider cannot be reached.")
REFUSED = N_("The provider refuses the call.")
TOO_MANY = N_("The provider makes no more calls at once: try again in a while.")
UNSURE = N_("The provider did not say whether it makes the call.")
NOT_RUNG = N_("The agent's telephone is none that this line can ring.")


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
        raise SendFailed(f"{NOT_REACHED}\n{type(failure).__name__}") from failure
    except httpx.HTTPError as failure:
        raise MaybeSent(f"{UNSURE}\n{type(failure).__name__}") from failure
    if answer.status_code == 429:
        raise SendFailed(TOO_MANY)
    if answer.is_server_error:
        raise MaybeSent(f"{UNSURE}\nHTTP {answer.status_code}")
    if not answer.is_success:
        raise SendRefused(f"{REFUSED}\n{_said(answer)}")
    return answer


def _said(answer: httpx.Response) -> str:
    """Twilio gives its errors a `code` and a `message`."""
    try:
        told = answer.json()
        return f"HTTP {answer.status_code}: {told['code']} {told['message']}"[:300]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
