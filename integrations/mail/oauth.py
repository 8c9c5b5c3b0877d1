"""Access tokens for mail servers that want one in place of a password (XOAUTH2), made from the channel's refresh token.

https://datatracker.ietf.org/doc/html/rfc6749#section-6
"""

import asyncio
import uuid
from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import sha256
from time import monotonic
from weakref import WeakValueDictionary

import httpx
import orjson
from pydantic import SecretStr

from domain.certificates import trusted
from domain.db import Database
from domain.keys import Keys
from domain.ways_in import channels
from integrations.mail.mailbox import Mailbox
from integrations.mail.refusals import without_secrets

TIMEOUT = 10.0
EARLY = 60.0
"""Seconds before its end from which on a token is not used any more."""
SHORTEST = 300.0
"""Seconds for which a token is good whose answer does not say."""
KEPT = 1000
"""Tokens; who has not been asked for longest is forgotten first, and asked for anew."""


class TokenRefused(Exception):
    """The provider does not take the refresh token or the client any more: somebody must sign in anew."""


class TokenFailed(Exception):
    """The provider could not be asked, or did not answer as it should: later it may."""


@dataclass(frozen=True)
class _Token:
    access: str
    refresh: str
    good_until: float


_tokens: OrderedDict[bytes, _Token] = OrderedDict()
"""By what the channel's settings say, in this process."""
_asking: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
"""A refresh token that is shown twice at once is dead at some providers. Each is there while somebody asks."""


async def access_token(mailbox: Mailbox, *, fresh: bool = False) -> str:
    """One that is good now; with `fresh` another one, as when a server has refused the last."""
    name = _name(mailbox)
    known = _known(name)
    if known and not fresh and monotonic() < known.good_until:
        return known.access
    async with _asking.setdefault(name, asyncio.Lock()):
        newest = _known(name)
        if newest and newest is not known:  # somebody else has asked meanwhile
            return newest.access
        refresh = newest.refresh if newest else mailbox.oauth_refresh_token.get_secret_value()
        token = await _ask(mailbox, refresh)
        _keep(name, token)
    return token.access


async def keep_newest(db: Database, keys: Keys, channel_id: uuid.UUID, mailbox: Mailbox) -> Mailbox:
    """The settings with the refresh token that came with the last access token: some providers give another each time, and
    let the old ones die."""
    known = _tokens.get(_name(mailbox))
    if known is None or known.refresh == mailbox.oauth_refresh_token.get_secret_value():
        return mailbox
    newer = mailbox.model_copy(update={"oauth_refresh_token": SecretStr(known.refresh)})
    async with db.transaction() as session:
        await channels.change_secret(session, keys, channel_id, "oauth_refresh_token", known.refresh)
    # Who still has the settings from before uses it up: the refresh token that stands there is dead.
    _keep(_name(mailbox), replace(known, refresh=mailbox.oauth_refresh_token.get_secret_value()))
    _keep(_name(newer), known)
    return newer


def _known(name: bytes) -> _Token | None:
    if token := _tokens.get(name):
        _tokens.move_to_end(name)
    return token


def _keep(name: bytes, token: _Token) -> None:
    _tokens[name] = token
    _tokens.move_to_end(name)
    if len(_tokens) > KEPT:
        _tokens.popitem(last=False)


async def _ask(mailbox: Mailbox, refresh: str) -> _Token:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh,
        "client_id": mailbox.oauth_client_id,
        "client_secret": mailbox.oauth_client_secret.get_secret_value(),
        "scope": mailbox.oauth_scope,
    }
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, verify=trusted()) as http:
            answer = await http.post(
                mailbox.oauth_token_url, data={name: value for name, value in form.items() if value}
            )
            said = orjson.loads(answer.content)
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        raise TokenFailed(f"the token server does not answer: {type(failure).__name__}") from failure
    except orjson.JSONDecodeError:
        raise TokenFailed(f"the token server answers {answer.status_code} without JSON") from None
    said = said if isinstance(said, dict) else {}
    if answer.status_code in (400, 401, 403):
        why = f"the token server says {said.get('error')}: {said.get('error_description')}"
        raise TokenRefused(without_secrets(why, refresh, mailbox.oauth_client_secret.get_secret_value()))
    access = said.get("access_token")
    if answer.status_code != 200 or not isinstance(access, str) or not access.isascii():
        raise TokenFailed(f"the token server answers {answer.status_code} without a token")
    seconds = said.get("expires_in")
    seconds = float(seconds) if isinstance(seconds, int | float) else SHORTEST
    newer = said.get("refresh_token")
    return _Token(
        access, newer if isinstance(newer, str) and newer else refresh, monotonic() + seconds - EARLY
    )


def _name(mailbox: Mailbox) -> bytes:
    said = (
        mailbox.oauth_token_url,
        mailbox.oauth_client_id,
        mailbox.oauth_refresh_token.get_secret_value(),
        mailbox.oauth_scope,
    )
    return sha256(repr(said).encode()).digest()
