"""The language of queries: what is read, what is written again, and what is refused at which word."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.finding import mistakes
from domain.finding.mistakes import WrongQuery
from domain.finding.query import DEEPEST, MOST_PARTS, parse
from domain.finding.terms import FLAGS, TERMS
from domain.finding.tree import Asked, Either, Every, Not, Query, Quoted, Said, either, every, written
from domain.finding.values import Numbers, OneOf, Times

PAGE = (Path(__file__).parent.parent.parent / "docs/finding.md").read_text()
MISTAKE = re.compile(r"^\| `(QUERY_\w+)` \| `(.+?)`.*? \| `(.+?)` \|$", re.MULTILINE)


def _kinds(of: type[WrongQuery]) -> Iterator[type[WrongQuery]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)


def test_terms_values_words_and_groups_are_read() -> None:
    read = parse('IS:Open channel:email,chat -tag:"very vip" (a or b c) "zwrot pieniędzy" zwr* 600 100')

    assert read == Every(
        (
            Asked("is", ("open",)),
            Asked("channel", ("email", "chat")),
            Not(Asked("tag", ("very vip",))),
            Either((Said("a"), Every((Said("b"), Said("c"))))),
            Quoted("zwrot pieniędzy"),
            Said("zwr", begins=True),
            Said("600 100"),
        )
    )


@pytest.mark.parametrize(
    "said", ["Re: my order", "12:30", "https://shop.example", "anell d'or or plata", "a - b"]
)
def test_what_people_write_is_no_term(said: str) -> None:
    assert not isinstance(parse(said), Asked)
    assert written(parse(said)) == said


@pytest.mark.parametrize(
    ("code", "text", "word"), [one for one in MISTAKE.findall(PAGE) if "NOBODY" not in one[0]]
)
def test_each_mistake_of_the_page_points_at_its_word(code: str, text: str, word: str) -> None:
    with pytest.raises(WrongQuery) as refused:
        parse(text)

    wrong = refused.value
    assert (wrong.code, text[wrong.start : wrong.end]) == (code, word)
    for locale in ("pl", "es", "ca"):
        assert wrong.in_language(locale) != wrong.in_language("en")


def test_the_page_lists_every_mistake_term_and_flag() -> None:
    assert [code for code, _, _ in MISTAKE.findall(PAGE)] == [kind.code for kind in _kinds(WrongQuery)]
    assert re.findall(r"^\| `(\w+):` \| .+ \| (.+) \|$", PAGE, re.MULTILINE) == [
        (key, term.says) for key, term in TERMS.items()
    ]
    assert re.findall(r"^\| `is:(\w+)` \| (.+) \|$", PAGE, re.MULTILINE) == [
        (name, flag.says) for name, flag in FLAGS.items()
    ]
    for key, term in TERMS.items():
        if isinstance(term.values, OneOf | Numbers):
            (line,) = re.findall(rf"^\| `{key}:` \| (.+?) \|", PAGE, re.MULTILINE)
            known = term.values.known if isinstance(term.values, OneOf) else term.values.names
            assert re.findall(r"`(\w+)`", line) == list(known)
    assert mistakes.__doc__ is not None
    assert {kind.__name__ for kind in _kinds(WrongQuery)} <= set(
        re.findall(r"[├└]── (\w+)", mistakes.__doc__)
    )


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("asignee:me", "assignee:"), ("is:opne", "open"), ("clock:brached", "breached"), ("xyzzy:1", None)],
)
def test_the_nearest_known_word_is_told(text: str, nearest: str | None) -> None:
    with pytest.raises(WrongQuery) as refused:
        parse(text)

    assert refused.value.nearest == nearest


def test_a_query_has_limits() -> None:
    for text in (
        "a" * 1_001,
        "a " * (MOST_PARTS + 1),
        "(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1),
        "-" * 900 + "a",
    ):
        with pytest.raises(mistakes.TooLong):
            parse(text)


SIGNS = st.sampled_from(
    [
        *'()-",*:\\ 0123<>=|#+@',
        "is:",
        "or ",
        "tag:",
        "open",
        "ł",
        "zwrot",
        "created:",
        "2026-11-01",
        "\t",
        "…",
    ]
)


@given(st.one_of(st.text(), st.lists(SIGNS).map("".join)))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str) -> None:
    refused: WrongQuery | None = None
    try:
        read = parse(text)
    except WrongQuery as refusal:
        refused = refusal

    if refused is None:
        assert parse(written(read)) == read
    else:
        assert 0 <= refused.start <= refused.end <= len(text)
        assert refused.in_language("ca")


WORDS = st.from_regex(r"[a-zął0-9'+]{1,8}", fullmatch=True).filter(lambda word: word != "or")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


def _values(key: str) -> st.SearchStrategy[str]:
    match TERMS[key].values:
        case OneOf(known=known):
            return st.sampled_from(list(known))
        case Numbers():
            return st.from_regex(r"(>=|<=|>|<)?[0-9]{1,9}", fullmatch=True)
        case Times():
            return st.from_regex(r"[<>]=?[0-9]{1,2}[mhdw]", fullmatch=True)
    return TEXTS


PARTS = st.one_of(
    st.builds(Said, WORDS, st.booleans()),
    st.builds(Quoted, TEXTS),
    st.sampled_from(list(TERMS)).flatmap(
        lambda key: st.builds(
            lambda values: Asked(key, tuple(values)), st.lists(_values(key), min_size=1, max_size=3)
        )
    ),
)
QUERIES: st.SearchStrategy[Query] = st.recursive(
    PARTS,
    lambda below: st.one_of(
        st.lists(below, min_size=1, max_size=3).map(every),
        st.lists(below, min_size=1, max_size=3).map(either),
        below.map(Not),
    ),
    max_leaves=12,
)


@given(QUERIES)
def test_a_tree_that_is_written_is_read_as_the_same(tree: Query) -> None:
    try:
        read = parse(written(tree))
    except mistakes.TooLong:
        return

    assert read == _spelled(tree)


def _spelled(tree: Query) -> Query:
    """With the words that have a meaning of their own in small letters, as they are kept."""
    match tree:
        case Asked(key=key, values=values):
            return Asked(key, tuple(map(TERMS[key].values.spelled, values)))
        case Not(of=one):
            return Not(_spelled(one))
        case Every(of=many):
            return every([_spelled(one) for one in many])
        case Either(of=many):
            return either([_spelled(one) for one in many])
    return tree
