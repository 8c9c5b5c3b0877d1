"""What calls and text messages share of Twilio. https://www.twilio.com/docs/usage/api"""

from typing import Protocol
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

API = "2010-04-01"
EMPTY_ANSWER = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""To a webhook that asks nothing."""


class Account(Protocol):
    @property
    def account_sid(self) -> str: ...

    @property
    def auth_token(self) -> SecretStr: ...


def account_url(base: str, account: Account) -> str:
    return f"{base}/{API}/Accounts/{account.account_sid}"


def sign_in(account: Account) -> httpx.BasicAuth:
    return httpx.BasicAuth(account.account_sid, account.auth_token.get_secret_value())


def is_kept_at(base: str, url: str, *, part: str) -> bool:
    """Is it one of an account's `Recordings`, `Media`…? Nowhere else are the account's credentials shown."""
    theirs, asked = urlsplit(base), urlsplit(url)
    return (asked.scheme, asked.netloc) == (theirs.scheme, theirs.netloc) and (
        asked.path.startswith(f"{theirs.path}/{API}/Accounts/") and f"/{part}/" in asked.path
    )
