"""How a shop's words about a contact are spelled; no database is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers import companies, profiles
from domain.errors import InvalidInput
from domain.fields import FieldKind, spelled


@pytest.mark.parametrize(
    ("said", "kept"),
    [("PL", "pl"), ("ca_es", "ca-ES"), ("CA-valencia", "ca-valencia"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419"), ("gsw", "gsw")],
)  # fmt: skip
def test_a_language_is_kept_as_bcp_47_writes_it(said: str, kept: str) -> None:
    assert profiles.locale(said) == kept


@pytest.mark.parametrize("said", ["", "qq", "polski", "pl-XX", "pl-PL-", "en-GB;q=0.5", "pl PL", "zh-Hann"])
def test_what_is_no_language_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        profiles.locale(said)

    assert refusal.value.field == ["locale"]


@pytest.mark.parametrize("said", ["", "Warsaw", "europe/warsaw", "../etc/passwd", "UTC+1"])
def test_what_is_no_time_zone_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput):
        profiles.timezone(said)


def test_a_tag_is_one_word_however_it_is_written() -> None:
    zolw, composed = "z\u0307o\u0301łw", "żółw"

    assert profiles.tags([" VIP", "vip", "Late  payer ", "", " ", zolw, composed, "STRASSE", "straße"]) == [
        "vip",
        "late payer",
        composed,
        "strasse",
    ]


def test_there_are_so_many_tags_and_they_are_so_long() -> None:
    profiles.tags([f"{n}" for n in range(profiles.MOST_TAGS)])
    for too_much in ([f"{n}" for n in range(profiles.MOST_TAGS + 1)], ["x" * (profiles.LONGEST_TAG + 1)]):
        with pytest.raises(InvalidInput):
            profiles.tags(too_much)


@given(st.text(max_size=12))
def test_a_tag_read_again_is_the_same(said: str) -> None:
    once = profiles.tag(said)

    assert profiles.tag(once) == once
    assert profiles.tag(f" {said.upper()} ") == profiles.tag(said.upper())


@pytest.mark.parametrize(
    ("kind", "said", "kept"),
    [
        (FieldKind.TEXT, "  Blue ", "Blue"),
        (FieldKind.NUMBER, "+007.50", "7.50"),
        (FieldKind.NUMBER, "-0", "0"),
        (FieldKind.NUMBER, "99999999999999999999", "99999999999999999999"),
        (FieldKind.DATE, "2024-02-29", "2024-02-29"),
        (FieldKind.YES_NO, "true", "true"),
        (FieldKind.CHOICE, "L", "L"),
    ],
)
def test_a_value_is_kept_in_one_spelling(kind: FieldKind, said: str, kept: str) -> None:
    assert spelled(kind, said, options=["M", "L"]) == kept


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (FieldKind.TEXT, "   "),
        (FieldKind.TEXT, "x" * 1001),
        *((FieldKind.NUMBER, said) for said in ("", "12,50", "1e9", "NaN", "١٢", "9" * 21, "1.")),
        *((FieldKind.DATE, said) for said in ("", "2023-02-29", "29.02.2024", "20240229", "2024-W09-4")),
        *((FieldKind.YES_NO, said) for said in ("", "yes", "1", "True")),
        *((FieldKind.CHOICE, said) for said in ("", "XL", "m")),
    ],
)
def test_a_value_of_another_kind_is_refused(kind: FieldKind, said: str) -> None:
    with pytest.raises(InvalidInput):
        spelled(kind, said, options=["M", "L"])


@given(st.sampled_from(FieldKind), st.text(max_size=20) | st.decimals(allow_nan=False, places=3).map(str))
def test_a_value_that_is_kept_is_spelled_as_it_is_kept(kind: FieldKind, said: str) -> None:
    try:
        kept = spelled(kind, said, options=["true", "1"])
    except InvalidInput:
        return

    assert spelled(kind, kept, options=["true", "1"]) == kept


def test_a_domain_is_kept_as_dns_writes_it() -> None:
    assert companies.domains([" Example.ORG.", "@example.org", "łódź.example"]) == [
        "example.org",
        "xn--d-uga0v4h.example",
    ]


@pytest.mark.parametrize("said", ["", "localhost", "exa mple.org", "https://example.org/", "a..b", "-.org"])
def test_what_is_no_domain_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        companies.domains([said])

    assert refusal.value.field == ["domains"]
