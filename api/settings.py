"""The settings of the doors."""

from typing import Self

from pydantic import Field, model_validator

from domain.settings import HeddleSettings


class ApiSettings(HeddleSettings):
    operations_per_minute: int = Field(default=3000, ge=1)
    anonymous_per_minute: int = Field(default=600, ge=1)
    undo_seconds: float = Field(default=10, ge=0, le=60)
    metrics_token: str | None = None
    otlp_url: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = {self.oidc_issuer is None, self.oidc_client_id is None, self.oidc_client_secret is None}
        if len(given) == 2:
            raise ValueError(
                "HEDDLE_OIDC_ISSUER, HEDDLE_OIDC_CLIENT_ID and HEDDLE_OIDC_CLIENT_SECRET go together"
            )
        return self
