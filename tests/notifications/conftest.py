from tests.notifications.shop import shop  # noqa: F401 - a fixture
