"""What a conversation is about: its subject, the numbers it names, its topics. Read from words, never from who said them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from domain.numbers import CaseNumber, NumberKind, numbers_in, without_signature
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
_BEFORE = (
    "again still already forgot attach attached earlier before yesterday wrote emailed mailed answer answered reply replied "
    "waiting update news called znowu nadal wciaz jeszcze zapomnial zapomnialam zapomnialem zalaczam wczesniej wczoraj pisalam "
    "pisalem odpowiedz odpowiedzi czekam dzwonilam dzwonilem ponownie otra vez sigo seguimos todavia aun olvide olvido adjunto "
    "antes ayer escribi escribo respuesta respondido esperando noticias novedades llame llamado encara descuidat oblidat adjunt "
    "ahir abans escrit escriure resposta esperant noticies novetats trucat "
    "photo photos picture pictures zdjecie zdjecia fotka foto fotos imagen imagenes imatge imatges video film captura"
)
GOES_ON = frozenset(
    [
        "still",
        "again",
        "waiting",
        "chasing",
        "nadal",
        "wciaz",
        "znowu",
        "ponownie",
        "czekam",
        "sigo",
        "seguimos",
        "todavia",
        "aun",
        "esperando",
        "encara",
        "esperant",
    ]
)
FOLLOWS_UP = frozenset(_BEFORE.split()) | GOES_ON
SPECIFIC = 5
"""Letters from which on a word that is none of the above says something of its own."""
MOST_SPECIFIC = 1
"""Words of that kind in a text that says nothing by itself."""
_COMMON = (
    "about there please thanks thank could would should anybody anyone someone somebody everything something anything nothing "
    "talk speak write regards greetings morning afternoon evening hello dear really maybe here where which while still "
    "prosze dziekuje dzieki pozdrawiam witam dobry wieczor panstwo panstwa jestem jestescie moge mozna moglby jakies jakas ktos "
    "prosic chcialam chcialbym chcialabym wiadomo halo slychac cokolwiek sprawie sprawy tutaj tylko bardzo "
    "gracias buenos buenas tardes noches saludos favor podria podrian podeis quiero quisiera queria sabeis saber alguien estais "
    "algun alguna tengo tienen cuando donde mucho sobre ustedes vosotros atentamente cordial "
    "gracies siusplau salutacions tardes podeu podrieu voldria volia sabeu alguna algun teniu quan sobre atentament cordialment"
)
COMMON = frozenset(_COMMON.split())


@dataclass(frozen=True)
class Matter:
    subjects: frozenset[str] = frozenset()
    """As `subject_of` reads them."""
    numbers: frozenset[CaseNumber] = frozenset()
    topics: frozenset[Topic] = frozenset()
    things: frozenset[str] = frozenset()
    """Beginnings of the words that say something of their own."""
    says_little: bool = True
    """It greets, or goes on with something: by itself it is about nothing."""
    goes_on: bool = False
    """It says that something is as it was."""

    @property
    def subject(self) -> str:
        return min(self.subjects, default="")

    def numbers_of(self, kind: NumberKind) -> frozenset[CaseNumber]:
        return frozenset(number for number in self.numbers if number.kind == kind)


def matter_of(subject: str, text: str, masks: Iterable[str] = ()) -> Matter:
    named, words = subject_of(subject), words_of(text)
    topics, numbers = topics_of(without_signature(f"{subject}\n{text}")), numbers_in(subject, text, masks)
    things = things_in(f"{subject}\n{text}")
    return Matter(
        subjects=frozenset((named,)) if named else frozenset(),
        numbers=numbers,
        topics=topics,
        things=things,
        says_little=not topics
        and not numbers
        and (len(things_in(text)) <= MOST_SPECIFIC or not FOLLOWS_UP.isdisjoint(words)),
        goes_on=not GOES_ON.isdisjoint(words),
    )


def things_in(text: str) -> frozenset[str]:
    return frozenset(
        word[:SPECIFIC]
        for word in words_of(text)
        if len(word) >= SPECIFIC and word.isalpha() and word not in COMMON and word not in SAYS_NOTHING
    )


def subject_of(subject: str) -> str:
    """Without `Re:`, case and accents; empty if it says nothing: `Hello`, `My order`."""
    words = words_of(_ANSWERED.sub("", folded(subject)))
    return "" if SAYS_NOTHING.issuperset(words) else " ".join(words)
