"""What a conversation is about: its subject, the numbers it names, its topics. Read from words, never from who said them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from domain.numbers import CaseNumber, NumberKind, numbers_in
from domain.topics import Topic, topics_of
from domain.words import folded, words_of

_ANSWERED = re.compile(
    r"^\s*(?:(?:re|fwd?|aw|wg|odp|pd|rv|res|ref|tr|enc|reenv|r|fw)(?:\[\d+\])?\s*:\s*|\[[^\]]{1,40}\]\s*)+",
    re.IGNORECASE,
)
SAYS_NOTHING = frozenset(
    [
        "hello",
        "hi",
        "hola",
        "bon",
        "dia",
        "buenos",
        "dias",
        "buenas",
        "tardes",
        "dzien",
        "dobry",
        "witam",
        "czesc",
        "question",
        "pregunta",
        "consulta",
        "duda",
        "dubte",
        "pytanie",
        "zapytanie",
        "help",
        "ayuda",
        "ajuda",
        "pomoc",
        "order",
        "my",
        "mi",
        "moj",
        "moja",
        "moje",
        "pedido",
        "comanda",
        "la",
        "meva",
        "zamowienie",
        "zamowienia",
        "urgent",
        "urgente",
        "urgentni",
        "pilne",
        "info",
        "information",
        "informacion",
        "informacio",
        "informacja",
        "contact",
        "contacto",
        "contacte",
        "kontakt",
        "message",
        "mensaje",
        "missatge",
        "wiadomosc",
        "no",
        "subject",
        "sin",
        "asunto",
        "bez",
        "tematu",
        "sense",
        "assumpte",
        "complaint",
        "problem",
        "problema",
        "reklamacja",
    ]
)
LITTLE = 14
"""Words: who says so little and names no topic means what was said before."""
_BEFORE = (
    "again still already forgot attach attached earlier before yesterday wrote emailed mailed answer answered reply replied "
    "waiting update news znowu nadal wciaz jeszcze zapomnial zapomnialam zapomnialem zalaczam wczesniej wczoraj pisalam pisalem "
    "odpowiedz odpowiedzi czekam dzwonilam dzwonilem ponownie otra vez sigo seguimos todavia aun olvide olvido adjunto antes ayer "
    "escribi escribo respuesta respondido esperando noticias novedades encara m'he descuidat oblidat adjunt ahir abans escrit "
    "escriure resposta esperant noticies novetats called llame llamado trucat"
)
FOLLOWS_UP = frozenset(_BEFORE.split())


@dataclass(frozen=True)
class Matter:
    subjects: frozenset[str] = frozenset()
    """As `subject_of` reads them."""
    numbers: frozenset[CaseNumber] = frozenset()
    topics: frozenset[Topic] = frozenset()
    says_little: bool = True
    """It goes on with something, or greets: by itself it is about nothing."""

    @property
    def subject(self) -> str:
        return min(self.subjects, default="")

    def numbers_of(self, kind: NumberKind) -> frozenset[CaseNumber]:
        return frozenset(number for number in self.numbers if number.kind == kind)


def matter_of(subject: str, text: str, masks: Iterable[str] = ()) -> Matter:
    named, words = subject_of(subject), words_of(text)
    topics = topics_of(f"{subject}\n{text}")
    return Matter(
        subjects=frozenset((named,)) if named else frozenset(),
        numbers=numbers_in(subject, text, masks),
        topics=topics,
        says_little=not topics and (len(words) <= LITTLE or not FOLLOWS_UP.isdisjoint(words)),
    )


def subject_of(subject: str) -> str:
    """Without `Re:`, case and accents; empty if it says nothing: `Hello`, `My order`."""
    words = words_of(_ANSWERED.sub("", folded(subject)))
    return "" if SAYS_NOTHING.issuperset(words) else " ".join(words)


def is_forwarded(subject: str) -> bool:
    return bool(re.match(r"\s*(?:fwd?|pd|rv|tr|enc|reenv|wg)\s*:", subject, re.IGNORECASE))
