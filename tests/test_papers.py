"""What stands in the papers is what the code says."""

import re
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, parse, validate
from graphql.execution.values import get_variable_values

from api.schema import schema
from api.settings import ApiSettings
from domain.settings import DomainSettings
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings
from tests.papers import Shown, all_shown

ROOT = Path(__file__).parent.parent


def test_the_published_schema_is_the_codes() -> None:
    assert (ROOT / "schema.graphql").read_text() == schema.as_str() + "\n", "run ./run schema"


@pytest.mark.parametrize("one", all_shown(), ids=lambda one: f"{one.page}:{one.name}")
def test_what_the_pages_show_is_valid(one: Shown) -> None:
    document = parse(one.document)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)

    assert validate(schema._schema, document) == []
    if one.variables is not None:
        values = get_variable_values(schema._schema, operation.variable_definitions or (), one.variables)
        assert not isinstance(values, list), values


def test_every_setting_stands_in_the_example() -> None:
    rooms = (DomainSettings, ApiSettings, IntegrationSettings, NotificationSettings)
    settings = {f"HEDDLE_{name.upper()}" for room in rooms for name in room.model_fields}

    assert set(re.findall(r"^#?(HEDDLE_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)) == settings
