"""Pictures of customers, as Twilio keeps them: some accounts show them only to who signs in."""

from urllib.parse import urlsplit

import httpx
from cryptography.fernet import InvalidToken
from pydantic import ValidationError

from domain.channels import Channel, ChannelKind
from domain.keys import Keys
from integrations.sms.number import SmsNumber


def credentials_for(channel: Channel, keys: Keys, base: str, url: str) -> httpx.BasicAuth | None:
    """The account's own, and for nothing but the pictures at `base`."""
    if channel.kind != ChannelKind.SMS or not _is_there(base, url):
        return None
    try:
        number = SmsNumber.of(channel, keys)
    except (ValidationError, InvalidToken):
        return None
    if number.provider != "twilio":
        return None
    return httpx.BasicAuth(number.account_sid, number.auth_token.get_secret_value())


def _is_there(base: str, url: str) -> bool:
    theirs, asked = urlsplit(base), urlsplit(url)
    same_place = (asked.scheme, asked.netloc) == (theirs.scheme, theirs.netloc)
    return (
        same_place
        and asked.path.startswith(f"{theirs.path}/2010-04-01/Accounts/")
        and "/Media/" in asked.path
    )
