"""Recordings of calls, as Twilio keeps them: shown to who signs in, and deleted there once they are here."""

from dataclasses import dataclass
from typing import Self

import httpx
from cryptography.fernet import InvalidToken
from pydantic import ValidationError

from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.phone.line import PhoneLine
from integrations.twilio import sign_in


@dataclass(frozen=True)
class Recordings:
    """Of one account."""

    sign_in: httpx.BasicAuth
    are_deleted: bool

    @classmethod
    def of(cls, channel: Channel, keys: Keys) -> Self | None:
        try:
            line = PhoneLine.of(channel, keys)
        except (ValidationError, InvalidToken):
            return None
        return cls(sign_in(line), not line.keep_at_twilio) if line.provider == "twilio" else None

    async def delete(self, http: httpx.AsyncClient, url: str) -> None:
        """Deleted before is deleted."""
        resource = url.partition("?")[0].removesuffix(".mp3")
        answer = await http.delete(f"{resource}.json", auth=self.sign_in)
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()
