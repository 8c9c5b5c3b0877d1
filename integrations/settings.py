"""Where the outside world is. Each is a setting, so that a test or the demo can put a stand-in there."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from domain.languages import N_
from domain.settings import HeddleSettings, web_address
from integrations.keeping import WrongSetting
from integrations.mail.reading.address_lists import is_plain


def smtp_address(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("smtp", "smtps", "smtp+starttls") or not parts.hostname):
        raise WrongSetting(N_("should be smtp://user:password@host:port, smtps://… or smtp+starttls://…"))
    return url


class IntegrationSettings(HeddleSettings):
    smtp_in_host: str = "127.0.0.1"
    smtp_in_port: int | None = None
    lmtp_port: int | None = None
    imap_recheck_seconds: float = Field(60.0, ge=1, le=1500)
    smtp_url: str = "smtp://localhost:25"
    mail_from: str = "heddle@localhost"
    graph_url: str = "https://graph.facebook.com"
    graph_version: str = "26.0"
    twilio_url: str = "https://api.twilio.com"
    vonage_url: str = "https://rest.nexmo.com"
    orders: Path | None = None
    webhooks_private: bool = False
    scan_url: str | None = None
    scan_required: bool = True
    media_hosts: str = "fbcdn.net,fbsbx.com,facebook.com,twilio.com,twiliocdn.com,nexmo.com,vonage.com"

    @field_validator("smtp_in_port", "lmtp_port", mode="before")
    @classmethod
    def _port(cls, port: Any) -> Any:
        if port in (None, ""):
            return None
        if not str(port).isdigit() or not 1 <= int(port) <= 65535:
            raise ValueError(f"should be a port number from 1 to 65535, not {port!r}")
        return port

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, url: str) -> str:
        return smtp_address(url or "none")

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, address: str) -> str:
        if not is_plain(address):
            raise ValueError("should be an email address")
        return address

    @field_validator("scan_url")
    @classmethod
    def _scanner(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "")
        is_socket = parts.scheme == "unix" and parts.path
        if url and not is_socket and not (parts.scheme == "tcp" and parts.hostname and parts.port):
            raise ValueError("should be tcp://host:3310 or unix:///run/clamav/clamd.ctl")
        return url or None

    _address = field_validator("graph_url", "twilio_url", "vonage_url")(web_address)

    @field_validator("media_hosts")
    @classmethod
    def _hosts(cls, hosts: str) -> str:
        for host in filter(None, map(str.strip, hosts.split(","))):
            if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
                raise ValueError(f"should be hosts such as fbcdn.net, not {host!r}")
        return hosts

    @property
    def media_suffixes(self) -> tuple[str, ...]:
        return tuple(host.strip().lower() for host in self.media_hosts.split(",") if host.strip())
