"""The numbers by which customers say what they write about: of an order, a parcel, an invoice."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InvalidInput
from domain.joining.words import folded
from domain.languages import N_


class NumberKind(StrEnum):
    ORDER = "order"
    TRACKING = "tracking"
    INVOICE = "invoice"
    PHONE = "phone"
    """Written in a text: it says where somebody can be called, not what they write about."""


@dataclass(frozen=True, order=True)
class CaseNumber:
    kind: NumberKind
    value: str
    """Capital letters and digits only, so that `ES-2026/00123` and `es 2026 00123` are one."""


NAMED = {
    NumberKind.ORDER: r"orders?|ord|pedidos?|comand(?:a|es)|encargos?|encarrecs?|compra|zamowieni(?:e|a|u|em)|zamowien|zam|zakup",
    NumberKind.TRACKING: r"tracking|seguimiento|seguiment|sledzeni(?:e|a)|przesyl(?:ka|ki|ke|ce)|pacz(?:ka|ki|ke|ce)|parcels?"
    r"|packages?|shipments?|paquetes?|paquets?|envios?|enviaments?|localizador|list(?:u)?\sprzewozow(?:y|ego)",
    NumberKind.INVOICE: r"invoices?|factur(?:a|as|es)|faktur(?:a|y|ze|e)|fv",
}
# Each way to read on begins with another letter: no text is read twice.
BETWEEN = r"(?:\s|[:;#.,\"'(]|\b(?:nr|no?|num|numero|numer|number|of|del?|o|is|es|with|con|amb|z|id|mi|my|la|el)\b)*"
NUMBER = r"([a-z]{0,4} ?\d{1,3}(?:[ .]\d{3})+(?!\d)|[a-z]{1,4} \d{3,}(?:/\d+)*|[a-z0-9](?:[a-z0-9]|[-/_](?=[a-z0-9])){2,39})"
"""Also as one dictates it: `71 304`, `WN 7 741`, `KS 2026/0991`."""
_A_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[-/](?:0?[1-9]|1[0-2])(?:[-/]\d{2,4})?|\d{4}[-/]\d{2}[-/]\d{2}|20\d{2}(?:0[1-9]|1[0-2])[0-3]\d"
)
_NO_ORDER = re.compile(
    r"\b(?:tel|telefon|telefono|telf|tlf|phone|mobile|movil|mobil|kom|whatsapp|nip|regon|pesel|nif|cif|dni|vat|iban|konto|fax|krs|eori"
    r"|company|account|reg|co)"
    r"\b[\s.:;#]*(?:no?\b[\s.:]*)?\+?[a-z]{0,2}[\d\s()-]{5,20}[a-z]?\b"
    r"|\b(?:cp|kod pocztowy|postcode|zip|codigo postal|codi postal)[\s.:]*\d{2}-?\d{3}\b"
)
"""Numbers that stand in signatures."""
_A_DIGIT = re.compile(r"\d")
_A_PRICE = r"zl|pln|eur|euros?|€|%"
SHAPED = [
    (NumberKind.ORDER, r"(?<![\w-])\d{3}-\d{7}-\d{7}(?![\w-])"),  # of Amazon
    (NumberKind.ORDER, r"(?<![\w/-])[a-z]{2,4}[-/]\d{4}[-/]\d{2,8}(?![\w/-])"),
    (NumberKind.ORDER, r"(?<![\w/-])#\s?([a-z]{0,4}-?\d{4,12})(?![\w/-])"),
    (NumberKind.ORDER, rf"(?<![\w/+-])(?<!\d[.,: ])\d{{6,8}}(?![\w/-]|[.,: ]\d|\s?(?:{_A_PRICE}))"),
    (
        NumberKind.ORDER,
        r"(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])",
    ),  # of Allegro
    (NumberKind.ORDER, r"(?<![\w-])\d{2}-\d{5}-\d{5}(?![\w-])"),  # of eBay
    (NumberKind.TRACKING, r"(?<![\w-])[a-z]{2}[a-z0-9]{2}[a-z0-9]{2}\d{10,16}[a-z](?![\w-])"),  # of Correos
    (NumberKind.TRACKING, r"(?<![\w-])[a-z]{2}\d{9}[a-z]{2}(?![\w-])"),  # of the postal union: S10
    (NumberKind.TRACKING, r"(?<![\w-])1z[0-9a-z]{16}(?![\w-])"),  # of UPS
    (NumberKind.TRACKING, r"(?<![\w-])\d{24}(?![\w-])"),  # of InPost
    (NumberKind.TRACKING, r"(?<![\w-])jjd\d{16,20}(?![\w-])"),  # of DHL
]
_SHAPED = [(kind, re.compile(shape)) for kind, shape in SHAPED]
_NAMED = [(kind, re.compile(rf"\b(?:{words}){BETWEEN}{NUMBER}")) for kind, words in NAMED.items()]
MOST = 20
"""Of one message: who pastes a list of orders writes about none of them."""
LONGEST_TEXT = 20_000


def numbers_in(said: str, masks: Iterable[str] = ()) -> frozenset[CaseNumber]:
    """Of a folded text without its signature. `masks`: how the shop's own order numbers look, such as `ES-####-#####`."""
    if not _A_DIGIT.search(said):
        return frozenset()
    found: dict[str, CaseNumber] = {}
    shapes = [(NumberKind.ORDER, _mask(mask)) for mask in masks] + _SHAPED
    for kind, pattern in shapes + _NAMED:
        for match in pattern.finditer(said):
            written = match.group(match.lastindex or 0)
            value = _plain(written)
            if sum(letter.isdigit() for letter in value) >= 3 and not _A_DATE.fullmatch(written):
                found.setdefault(value, CaseNumber(_kind_of(kind, value), value))
    return frozenset(found.values()) if len(found) <= MOST else frozenset()


_CODES = [
    re.compile(r"(?<![\w@+.-])[a-z]{0,6}[-/]?\d[\da-z]*(?:[-/]\d*[a-z]{0,4}[-/]?\d*)*(?![\w@])"),
    re.compile(r"(?<![\w@+.-])[a-z]{2,3} \d{3,}(?![\w@])"),
    re.compile(r"(?<![\w@+.-])(?<![\d)] )\d{1,3}(?: \d{3})+(?! ?\d)"),
]


def codes_in(said: str) -> frozenset[str]:
    """All that may be a number of something, of a folded text without its signature; what it is a number of, no word says."""
    found = (
        _plain(match.group())
        for pattern in _CODES
        for match in pattern.finditer(said)
        if not _A_DATE.fullmatch(match.group())
    )
    return frozenset(
        code for code in found if 4 <= len(code) <= 40 and sum(sign.isdigit() for sign in code) >= 3
    )


def is_telling(code: str) -> bool:
    """Not a telephone's, a postcode or a year."""
    return not code.isdigit() or 6 <= len(code) <= 8


def shape_of(code: str) -> str:
    """`CYC20417` and `CYC20466` are two of one kind."""
    return re.sub(r"\d", "9", code)


def without_signature(text: str) -> str:
    """Folded, and without the numbers of telephones, taxes and places."""
    return _NO_ORDER.sub(" ", folded(text[:LONGEST_TEXT]))


def _kind_of(kind: NumberKind, value: str) -> NumberKind:
    """`Parcel 100234` is of an order: carriers' numbers are longer."""
    return NumberKind.ORDER if kind == NumberKind.TRACKING and len(value) < 10 else kind


def checked_mask(mask: str) -> str:
    """Letters, digits and `- / _ .` stand for themselves, `#` for a digit, `@` for a letter."""
    mask = mask.strip()
    if not 4 <= len(mask) <= 40 or not re.fullmatch(r"[\w#@/.\- ]+", mask) or mask.count("#") < 3:
        raise InvalidInput(
            N_(
                "Write how an order number looks with # for each digit (three at least) and @ for a letter: ES-####-#####."
            ),
            field=["orderNumbers"],
        )
    return mask


def _mask(mask: str) -> re.Pattern[str]:
    signs = {"#": r"\d", "@": "[a-z]"}
    pattern = "".join(signs.get(sign) or re.escape(folded(sign)) for sign in mask)
    return re.compile(rf"(?<!\w){pattern}(?!\w)")


def _plain(number: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", number.upper())
