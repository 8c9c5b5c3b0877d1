"""What a Messenger page needs to be told."""

from typing import ClassVar

from pydantic import SecretStr

from integrations.keeping import ChannelSettings


class MessengerPage(ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"verify_token"})

    page_id: str
    page_token: SecretStr
    app_secret: SecretStr
    verify_token: SecretStr

    def place(self) -> str:
        return self.page_id
