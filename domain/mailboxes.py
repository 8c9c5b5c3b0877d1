"""Whose is a mail's address? Of one person, of a firm, of a couple, or of a marketplace that makes one for each order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from domain.names import may_be_one_person, parts_of
from domain.words import folded

Somebody = TypeVar("Somebody")

OFFICE = frozenset(
    [
        "info",
        "office",
        "contact",
        "contacto",
        "contacte",
        "kontakt",
        "biuro",
        "sekretariat",
        "secretaria",
        "secretariat",
        "szkola",
        "escola",
        "colegio",
        "recepcja",
        "reception",
        "recepcion",
        "hello",
        "hola",
        "czesc",
        "shop",
        "sklep",
        "tienda",
        "botiga",
        "store",
        "sales",
        "ventas",
        "vendes",
        "sprzedaz",
        "orders",
        "pedidos",
        "comandes",
        "zamowienia",
        "purchasing",
        "compras",
        "compres",
        "zakupy",
        "admin",
        "administracion",
        "administracio",
        "administracja",
        "accounting",
        "contabilidad",
        "comptabilitat",
        "ksiegowosc",
        "facturacion",
        "facturacio",
        "faktury",
        "invoices",
        "finance",
        "billing",
        "support",
        "soporte",
        "suport",
        "pomoc",
        "help",
        "service",
        "servicio",
        "servei",
        "serwis",
        "obsluga",
        "logistics",
        "logistica",
        "logistyka",
        "magazyn",
        "warehouse",
        "almacen",
        "magatzem",
        "hr",
        "rrhh",
        "kadry",
        "team",
        "equipo",
        "equip",
        "zespol",
        "mail",
        "poczta",
        "correo",
        "correu",
        "atencion",
        "atencio",
        "gerencia",
        "direccion",
        "direccio",
        "dyrekcja",
        "zarzad",
        "marketing",
    ]
)
MARKETPLACES = (
    "marketplace.amazon.com", "marketplace.amazon.es", "marketplace.amazon.pl", "marketplace.amazon.de",
    "marketplace.amazon.fr", "marketplace.amazon.it", "marketplace.amazon.co.uk", "allegromail.pl", "user.allegrogroup.pl",
    "members.ebay.com", "members.ebay.es", "members.ebay.de", "members.ebay.co.uk", "aliexpress-relay.com",
)  # fmt: skip


def is_office(address: str) -> bool:
    local = folded(address.partition("@")[0])
    return local in OFFICE or local.split("+")[0].split(".")[0].split("-")[0] in OFFICE


def marketplace_of(address: str, others: Iterable[str] = ()) -> str | None:
    """The domain, if it is one that writes on behalf of buyers."""
    domain = address.rpartition("@")[2]
    return domain if domain in MARKETPLACES or domain in others else None


@dataclass(frozen=True)
class Holder(Generic[Somebody]):
    """Somebody who has written from the address, with the names under which they did."""

    who: Somebody
    names: tuple[str, ...]

    def may_be(self, name: str) -> bool:
        known = [one for one in self.names if parts_of(one)]
        return not known or any(may_be_one_person(name, one) for one in known)

    @property
    def is_nameless(self) -> bool:
        return not any(map(parts_of, self.names))


def who_writes(name: str, holders: Sequence[Holder[Somebody]]) -> Somebody | None:
    """The one of them whom the name fits; none when it is somebody else, or cannot be told."""
    fitting = [holder for holder in holders if holder.may_be(name)]
    if len(fitting) > 1 and parts_of(name):
        fitting = [holder for holder in fitting if not holder.is_nameless] or fitting
    elif len(fitting) > 1:
        fitting = [holder for holder in fitting if holder.is_nameless]
    return fitting[0].who if len(fitting) == 1 else None
