"""How long a far end asks us to wait."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from domain.retry_after import seconds_of


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("0", 0.0), ("120", 120.0), ("9" * 400, 999_999_999.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_a_far_end_says_how_long_to_wait(said: str, seconds: float) -> None:
    assert seconds_of(said) == seconds


def test_it_may_say_until_when() -> None:
    said = seconds_of(format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True))

    assert said is not None
    assert 50 < said <= 60


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "soon",
        "-5",
        "1.5",
        "²",
        "١",
        "Wed, 21 Oct 2015 07:28:00 -0000",
        "Wed, 99 Oct 2015 07:28:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999",
    ],
)
def test_a_wait_that_is_no_number_and_no_moment_is_left_to_us(said: str | None) -> None:
    assert seconds_of(said) is None
