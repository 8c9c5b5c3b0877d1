"""The settings of the doors."""

from pydantic import Field

from domain.settings import HeddleSettings


class ApiSettings(HeddleSettings):
    operations_per_minute: int = Field(default=3000, ge=1)
    anonymous_per_minute: int = Field(default=600, ge=1)
    metrics_token: str | None = None
    otlp_url: str | None = None
