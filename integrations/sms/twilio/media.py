"""Pictures of customers, as Twilio keeps them: some accounts show them only to who signs in."""

import httpx
from cryptography.fernet import InvalidToken
from pydantic import ValidationError

from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.sms.number import SmsNumber
from integrations.twilio import is_kept_at, sign_in


def credentials_for(channel: Channel, keys: Keys, base: str, url: str) -> httpx.BasicAuth | None:
    """The account's own, and for nothing but the pictures at `base`."""
    if channel.kind != ChannelKind.SMS or not is_kept_at(base, url, part="Media"):
        return None
    try:
        number = SmsNumber.of(channel, keys)
    except (ValidationError, InvalidToken):
        return None
    return sign_in(number) if number.provider == "twilio" else None
