"""Access tokens of mailboxes whose provider takes no password (XOAUTH2, RFC 6749 section 6): asked for by the refresh token."""

import asyncio
from urllib.parse import urlsplit

import httpx

from integrations.channel_settings import Mailbox

TIMEOUT = 10.0
EARLY = 60.0
"""Seconds before its end at which a token is no longer used."""

_known: dict[tuple[str, str], tuple[str, float]] = {}
"""By address of the token's giver and refresh token: the access token, and until when it is used."""


class TokenRefused(Exception):
    """The provider gives no token: its own code says why, `invalid_grant` that somebody has to sign in again."""


async def access_token(mailbox: Mailbox) -> str:
    refresh_token = mailbox.oauth_refresh_token.get_secret_value()
    key, now = (mailbox.oauth_token_url, refresh_token), asyncio.get_running_loop().time()
    token, until = _known.get(key, ("", 0.0))
    if now < until:
        return token
    asked = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "client_id": mailbox.oauth_client_id,
        "client_secret": mailbox.oauth_client_secret.get_secret_value(),
        "scope": mailbox.oauth_scope,
    }
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as http:
            answer = await http.post(
                mailbox.oauth_token_url, data={name: value for name, value in asked.items() if value}
            )
        said = answer.json()
        token, lives = str(said["access_token"]), float(said.get("expires_in", 300))
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        host = urlsplit(mailbox.oauth_token_url).hostname
        raise TokenRefused(f"{host}: {type(failure).__name__}") from None
    except (ValueError, KeyError, TypeError):
        raise TokenRefused(_why(answer)) from None
    _known[key] = token, now + lives - EARLY
    return token


def _why(answer: httpx.Response) -> str:
    """The code alone: descriptions may quote what was sent."""
    try:
        code = str(answer.json()["error"])[:60]
    except (ValueError, KeyError, TypeError):
        code = "no token in the answer"
    return f"{answer.url.host}: {answer.status_code} {code}"
