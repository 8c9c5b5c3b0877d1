"""What a text is about, as far as words tell: customers of shops write about the same few things in every language."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from domain.joining.words import folded, vocabulary, words_of

LONGEST_TEXT = 5_000


class Topic(StrEnum):
    DELIVERY = "delivery"
    RETURN = "return"
    DEFECT = "defect"
    WRONG_ITEM = "wrong_item"
    EXCHANGE = "exchange"
    INVOICE = "invoice"
    PAYMENT = "payment"
    CHANGE = "change"
    """Of an order, or its cancellation."""
    PRODUCT = "product"
    ACCOUNT = "account"
    DISCOUNT = "discount"


RELATED = frozenset(
    frozenset(pair)
    for pair in (
        (Topic.DEFECT, Topic.RETURN),
        (Topic.DEFECT, Topic.EXCHANGE),
        (Topic.DEFECT, Topic.WRONG_ITEM),
        (Topic.RETURN, Topic.EXCHANGE),
        (Topic.RETURN, Topic.WRONG_ITEM),
        (Topic.EXCHANGE, Topic.WRONG_ITEM),
        (Topic.DELIVERY, Topic.WRONG_ITEM),
        (Topic.DELIVERY, Topic.DEFECT),
        (Topic.DELIVERY, Topic.CHANGE),
    )
)
"""So often one matter that words do not part them."""


def topics_of(text: str) -> frozenset[Topic]:
    said = folded(text[:LONGEST_TEXT])
    words = set(words_of(said))
    plain = " ".join(said.replace("’", "'").split())
    telling = [word for word in words if word.startswith(_beginnings())]
    return frozenset(
        topic
        for topic, told in _lexicon().items()
        if not words.isdisjoint(told.words)
        or any(word.startswith(told.beginnings) for word in telling)
        or any(phrase in plain for phrase in told.phrases)
    )


def are_apart(some: frozenset[Topic], others: frozenset[Topic]) -> bool:
    """Both say what they are about, and it is clearly not the same."""
    return bool(some and others) and not any(
        one == other or frozenset((one, other)) in RELATED for one in some for other in others
    )


@dataclass(frozen=True)
class Told:
    beginnings: tuple[str, ...]
    words: frozenset[str]
    phrases: tuple[str, ...]


@cache
def _beginnings() -> tuple[str, ...]:
    return tuple(beginning for told in _lexicon().values() for beginning in told.beginnings)


@cache
def _lexicon() -> dict[Topic, Told]:
    return {
        Topic(topic): Told(
            tuple(told["beginnings"].split()), frozenset(told["words"].split()), tuple(told["phrases"])
        )
        for topic, told in vocabulary()["topics"].items()
    }
