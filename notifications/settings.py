"""Where pushes go."""

from pydantic import field_validator

from domain.settings import HeddleSettings


class NotificationSettings(HeddleSettings):
    fcm_url: str = "https://fcm.googleapis.com"
    fcm_credentials: str | None = None
    """A service account of the Firebase project: the file's path, or its JSON itself."""

    @field_validator("fcm_url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("should begin with https://")
        return url.rstrip("/")
