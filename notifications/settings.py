"""Where pushes go."""

import re

from pydantic import field_validator

from domain.settings import HeddleSettings, web_address


class NotificationSettings(HeddleSettings):
    fcm_url: str = "https://fcm.googleapis.com"
    fcm_credentials: str | None = None
    """A service account of the Firebase project: the file's path, or its JSON itself."""
    web_push_hosts: str = ""
    vapid_subject: str | None = None
    heartbeat_url: str | None = None

    _address = field_validator("fcm_url")(web_address)

    @field_validator("heartbeat_url")
    @classmethod
    def _heard(cls, url: str | None) -> str | None:
        if url:
            web_address(url)
        return url or None

    @field_validator("web_push_hosts")
    @classmethod
    def _hosts(cls, hosts: str) -> str:
        for part in _parts(hosts):
            host, _, port = part.partition(":")
            if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", host) or (port and not _is_port(port)):
                raise ValueError(f"should name hosts as push.shop.example or 127.0.0.1:8123, not {part!r}")
        return hosts

    @field_validator("vapid_subject")
    @classmethod
    def _reachable(cls, subject: str | None) -> str | None:
        if subject and not re.fullmatch(r"mailto:[^\s@]+@[^\s@]+|https://\S+", subject):
            raise ValueError("should be mailto:somebody@shop.example or an https:// address")
        return subject or None

    @property
    def trusted_push_hosts(self) -> frozenset[str]:
        """Each with its port, where one was given."""
        return frozenset(_parts(self.web_push_hosts))


def _parts(listed: str) -> list[str]:
    return [part.strip().lower() for part in listed.split(",") if part.strip()]


def _is_port(text: str) -> bool:
    return re.fullmatch("[1-9][0-9]{0,4}", text) is not None and int(text) < 65536
