"""What stands in the papers is what the code says."""

import re
from pathlib import Path

from graphql import parse, validate

from api.schema import schema
from api.settings import ApiSettings
from domain.settings import DomainSettings
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings

ROOT = Path(__file__).parent.parent


def test_the_published_schema_is_the_codes() -> None:
    assert (ROOT / "schema.graphql").read_text() == schema.as_str() + "\n", "run ./run schema"


def test_the_explorers_samples_are_valid() -> None:
    samples = parse((ROOT / "api/explorer/samples.graphql").read_text())

    assert validate(schema._schema, samples) == []


def test_every_setting_stands_in_the_example() -> None:
    rooms = (DomainSettings, ApiSettings, IntegrationSettings, NotificationSettings)
    settings = {f"HEDDLE_{name.upper()}" for room in rooms for name in room.model_fields}

    assert set(re.findall(r"^#?(HEDDLE_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)) == settings
