"""What a Messenger page needs to be told."""

from typing import ClassVar

from pydantic import SecretStr

from integrations.keeping import ChannelSettings


class MessengerPage(ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"verify_token"})

    page_id: str
    """The number by which Meta knows the page."""
    page_token: SecretStr
    """Of the page, with `pages_messaging`: answers leave with it."""
    app_secret: SecretStr
    """Of the app in which the page's webhook is set up: it signs what comes."""
    verify_token: SecretStr
    """What Meta shows when the webhook is set up there."""

    def doors(self, slug: str) -> dict[str, str]:
        return {"messenger": f"/hooks/messenger/{slug}"}

    def place(self) -> str:
        return self.page_id
