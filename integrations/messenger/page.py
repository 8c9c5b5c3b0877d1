"""What a Messenger page needs to be told."""

from pydantic import SecretStr

from integrations.keeping import ChannelSettings


class MessengerPage(ChannelSettings):
    page_id: str
    page_token: SecretStr
    app_secret: SecretStr
    verify_token: SecretStr

    def place(self) -> str:
        return self.page_id
