"""What is filled into a macro, and what is not."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.customers.names import first_name
from domain.errors import InvalidInput
from domain.macros.variables import NAMES, Gap, check, fill, one_line

LETTERS = "ab{}|.\n\t \x00\u2028\u202eéł🧶"

anything = st.text(LETTERS, max_size=60)
hostile = st.one_of(
    anything,
    st.sampled_from(
        ["{{agent.name}}", "{{", "}}", "a\nBcc: eve@example.net", "\u202eadA", "x" * 900, "\x00\x1b[2J"]
    ),
)
values = st.dictionaries(st.sampled_from(NAMES), hostile)
pieces = st.lists(
    st.one_of(
        st.text(LETTERS.replace("{", "").replace("}", ""), max_size=20).map(lambda words: (words, None, "")),
        st.tuples(st.just(""), st.sampled_from(NAMES), st.sampled_from(["", "cliente", "Sr. o Sra."])),
    ),
    max_size=8,
)


def as_written(said: list[tuple[str, str | None, str]]) -> str:
    return "".join(
        words if name is None else f"{{{{ {name}{'|' + default if default else ''} }}}}"
        for words, name, default in said
    )


@given(pieces, values)
def test_each_place_becomes_one_line_of_its_value_and_all_else_stays(
    said: list[tuple[str, str | None, str]], values: dict[str, str]
) -> None:
    expected, gaps = "", []
    for words, name, default in said:
        piece = words if name is None else one_line(values.get(name, "")) or default
        if name and not piece:
            gaps.append(Gap(name, len(expected), True))
        expected += piece

    check(as_written(said), path=[])
    filled = fill(as_written(said), values)

    assert (filled.text, filled.gaps) == (expected, gaps)


@given(anything, values)
@example("{{}} {{ | }} {{contact.name|{{agent.name}}}}", {})
def test_whatever_somebody_typed_is_refused_or_leaves_no_braces_of_its_own(
    body: str, values: dict[str, str]
) -> None:
    try:
        check(body, path=["bodies", "0", "text"])
    except InvalidInput:
        return
    harmless = {name: value.replace("{", "").replace("}", "") for name, value in values.items()}
    filled = fill(body, harmless)

    assert all(gap.known for gap in filled.gaps)
    assert "{{" not in filled.text
    assert "}}" not in filled.text


@given(hostile)
def test_a_value_is_one_line_and_can_turn_nothing_around(value: str) -> None:
    line = one_line(value)

    assert len(line) <= 200
    assert line == one_line(line)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", line)


def test_a_name_that_is_itself_a_place_is_not_filled_in() -> None:
    filled = fill("Hola {{contact.name}}", {"contact.name": "{{agent.name}}", "agent.name": "Ben"})

    assert filled.text == "Hola {{agent.name}}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Hola\n  {{contct.name}}", "Line 2, column 3: there is no contct.name. Did you mean contact.name?"),
        ("{{agent.email}}", "Line 1, column 1: there is no agent.email. Did you mean agent.name?"),
        ("{{zzz}}", f"Line 1, column 1: there is no zzz. There are {', '.join(NAMES)}."),
        ("Hola {{contact.name", "Line 1, column 6: a place to fill in is written like {{contact.name}}."),
        ("{{contact.name}} }}", "Line 1, column 18: a place to fill in is written like {{contact.name}}."),
        ("{{contact.name|{{today}}}}", "Line 1, column 1: a place to fill in is written like {{contact.name}}."),
        ("{{ 7*7 }}", f"Line 1, column 1: there is no 7*7. There are {', '.join(NAMES)}."),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(body: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check(body, path=["text"])

    assert refusal.value.in_language("en") == said


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Ada Nowak", "Ada"),
        ("NOWAK, ADA", "Ada"),
        ("Sra. María del Mar López", "María"),
        ("pani łucja kowalska", "Łucja"),
        ("Jean-Pierre Roca (mòbil)", "Jean-Pierre"),
        ("A. Nowak", ""),
        ("ada@example.org", ""),
        ("Chat 8f3c", ""),
        ("Cliente", ""),
        ("", ""),
    ],
)
def test_a_first_name_is_taken_only_where_the_name_says_it(name: str, first: str) -> None:
    assert first_name(name) == first
