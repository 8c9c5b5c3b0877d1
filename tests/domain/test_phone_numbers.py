"""Numbers as exchanges and providers write them."""

import pytest

from domain.customers.contacts import phone_number


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("2025550123", "US", "+12025550123"),
        ("6462345678", "US", "+16462345678"),  # as one of New Zealand it would be in use too
        ("12025550123", "US", "+12025550123"),
        ("3331234567", "IT", "+393331234567"),
        ("7400123456", "GB", "+447400123456"),
        ("600100200", "PL", "+48600100200"),
        ("600100200", "ES", "+34600100200"),
        ("030 1234567", "DE", "+49301234567"),
    ],
)
def test_a_national_number_is_one_of_the_lines_country(written: str, region: str, number: str) -> None:
    assert phone_number(written, region=region) == number


@pytest.mark.parametrize("region", ["PL", "ES", "IT", "US", "DE", "AT", "GB", None])
@pytest.mark.parametrize("number", ["48600100200", "34600100200", "4915112345678", "12025550123"])
def test_a_number_with_its_country_needs_no_plus(number: str, region: str | None) -> None:
    assert phone_number(number, region=region) == f"+{number}"


@pytest.mark.parametrize("region", ["DE", "AT", "PL", "US", None])
@pytest.mark.parametrize("written", ["101", "1001", "anonymous", ""])
def test_an_extension_is_no_number(written: str, region: str | None) -> None:
    assert phone_number(written, region=region) is None
