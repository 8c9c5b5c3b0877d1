"""The settings every room knows. Each room keeps its own beside the code that uses them."""

import os
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class WrongSetting(Exception):
    """One sentence that names the variable."""


def web_address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("should begin with http:// or https://")
    return url.rstrip("/")


class HeddleSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HEDDLE_", env_file=".env", extra="ignore")


def default_data() -> Path:
    # Root's embedded PostgreSQL runs as `nobody`, who cannot pass a private home.
    return Path("/var/lib/heddle") if os.name == "posix" and os.geteuid() == 0 else Path("data")


class DomainSettings(HeddleSettings):
    data: Path = Field(default_factory=default_data)
    database_url: str | None = None
    secret_key: str | None = None
    base_url: str = "http://localhost:8000"
    files_url: str | None = None
    files_endpoint: str | None = None
    files_public_endpoint: str | None = None
    files_region: str = "us-east-1"
    files_key_id: str | None = None
    files_secret: str | None = None

    @field_validator("database_url")
    @classmethod
    def _by_asyncpg(cls, url: str | None) -> str | None:
        if not url:
            return None
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.split("+")[0] not in ("postgres", "postgresql"):
            raise ValueError("should be postgresql://user:password@host/database")
        modes = parse_qs(urlsplit(url).query)
        for mode in [*modes.get("sslmode", ()), *modes.get("ssl", ())]:
            if mode not in SSL_MODES:
                raise ValueError(f"has sslmode={mode}; there are {', '.join(SSL_MODES)}")
        return f"postgresql+asyncpg://{rest}"

    @field_validator("files_url")
    @classmethod
    def _bucket(cls, url: str | None) -> str | None:
        if url and (urlsplit(url).scheme != "s3" or not urlsplit(url).hostname):
            raise ValueError("should be s3://bucket or s3://bucket/folder")
        return url or None

    @field_validator("files_endpoint", "files_public_endpoint")
    @classmethod
    def _endpoint(cls, url: str | None) -> str | None:
        return web_address(url) if url else None

    @model_validator(mode="after")
    def _with_credentials(self) -> Self:
        if self.files_url and not (self.files_key_id and self.files_secret):
            raise ValueError("HEDDLE_FILES_URL needs HEDDLE_FILES_KEY_ID and HEDDLE_FILES_SECRET")
        return self

    _address = field_validator("base_url")(web_address)


Settings = TypeVar("Settings", bound=BaseSettings)


def load(kind: type[Settings]) -> Settings:
    try:
        return kind()
    except UnicodeDecodeError:
        raise WrongSetting(".env is wrong: it is no text in UTF-8.") from None
    except ValidationError as refusal:
        first = refusal.errors()[0]
        problem = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # of several, which it names itself
            raise WrongSetting(f"{problem}.") from None
        variable = "HEDDLE_" + str(first["loc"][0]).upper()
        if first["type"] == "missing":
            raise WrongSetting(f"{variable} is missing.") from None
        raise WrongSetting(f"{variable} is wrong: {problem}.") from None
