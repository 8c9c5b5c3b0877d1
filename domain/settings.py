"""The settings every room knows. Each room keeps its own beside the code that uses them."""

import os
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class WrongSetting(Exception):
    """One sentence that names the variable."""


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

    @field_validator("base_url")
    @classmethod
    def _web_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("should begin with http:// or https://")
        return url.rstrip("/")


Settings = TypeVar("Settings", bound=BaseSettings)


def load(kind: type[Settings]) -> Settings:
    try:
        return kind()
    except ValidationError as refusal:
        first = refusal.errors()[0]
        variable = "HEDDLE_" + str(first["loc"][0]).upper() if first["loc"] else "The settings"
        if first["type"] == "missing":
            raise WrongSetting(f"{variable} is missing.") from None
        problem = first["msg"].removeprefix("Value error, ")
        raise WrongSetting(f"{variable} is wrong: {problem}.") from None
