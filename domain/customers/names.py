"""Do two names under which mail came from one address belong to one person?

Couples share a mailbox, and firms have one for everybody. A name never joins anybody; two that contradict each other part
what the address would join.
"""

import re

from domain.joining.words import folded, listed, vocabulary, words_of

TITLES, NOBODY = listed("names", "titles"), listed("names", "nobody")
NICKNAMES = [frozenset(group.split()) for group in vocabulary()["names"]["nicknames"]]
SHORTENED = (1, *range(6, 40))
"""Letters of an initial, and of `Montse` for Montserrat; Ada is not Adam, and Maria not Mariana."""

_ADDRESS = re.compile(r"\S@[^\s@]+\.\w")


def unless_an_address(name: str) -> str:
    """As whoever writes calls themselves. An address would be shown beside the mark of who is proven, and prove another."""
    return "" if _ADDRESS.search(folded(name)) else name


def parts_of(name: str) -> tuple[str, ...]:
    """Of `Sra. Ada Nowak (mobile)`: `ada`, `nowak`. Empty for what names nobody."""
    local = name.partition("@")[0] if "@" in name and " " not in name.strip() else name
    parts = [re.sub(r"\d+", "", word) for word in words_of(re.sub(r"\([^)]*\)", " ", local))]
    if NOBODY.intersection(parts):
        return ()
    return tuple(part for part in parts if part and part not in TITLES)


def may_be_one_person(one: str, other: str) -> bool:
    """What is missing contradicts nothing; otherwise each part of the shorter name must stand in the longer."""
    shorter, longer = sorted((parts_of(one), parts_of(other)), key=len)
    if not shorter or "".join(sorted(shorter)) == "".join(sorted(longer)):
        return True
    if len(shorter) == 1 and _is_run_together(shorter[0], longer):
        return True
    left = list(longer)
    for part in sorted(shorter, key=len, reverse=True):
        same = next((word for word in left if _is_same(part, word)), None)
        if same is None:
            return False
        left.remove(same)
    return True


def _is_run_together(word: str, parts: tuple[str, ...]) -> bool:
    """`anowak` and `adanowak` of Ada Nowak."""
    if len(parts) < 2:
        return False
    first, last = parts[0], parts[-1]
    return word in (first + last, last + first, first[0] + last, first + last[0], last + first[0])


def _is_same(part: str, word: str) -> bool:
    shorter, longer = sorted((part, word), key=len)
    if shorter == longer or (len(shorter) in SHORTENED and longer.startswith(shorter)):
        return True
    return any(part in group and word in group for group in NICKNAMES)


def first_name(name: str) -> str:
    """By which its bearer is greeted: `Ada` of `Sra. Ada Nowak`, of `NOWAK, ADA` and of `ada nowak`. Empty where the name
    does not say: an address, an initial, a firm's desk."""
    if "@" in name or any(letter.isdigit() for letter in name) or not parts_of(name):
        return ""
    plain = re.sub(r"\([^)]*\)", " ", name)
    family, comma, given = plain.partition(",")
    for word in (given if comma else family).split():
        said = word.strip(".\"'“”„«»")
        if not any(letter.isalpha() for letter in said) or TITLES.intersection(words_of(said)):
            continue
        if len(said) == 1 or (len(said) <= 2 and word.endswith(".")):
            return ""
        return said.title() if said.isupper() or said.islower() else said
    return ""
