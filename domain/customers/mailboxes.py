"""Whose is a mail's address? Of one person, of a firm, of a couple, or of a marketplace that makes one for each order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import idna

from domain.customers.contacts import IdentityKind, normalised
from domain.customers.names import may_be_one_person, parts_of
from domain.errors import InvalidInput
from domain.joining.words import folded, listed

Somebody = TypeVar("Somebody")

OFFICE, MARKETPLACES = listed("mailboxes", "offices"), listed("mailboxes", "marketplaces")
MACHINES = listed("mailboxes", "machines")


def mail_address(written: str) -> str | None:
    """As addresses are compared; none for what is no address."""
    try:
        return normalised(IdentityKind.EMAIL, written)
    except InvalidInput:
        return None


def in_letters(address: str) -> str:
    """With its domain name as people write it: `bücher.example`."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except idna.IDNAError:
        return address


def without_plus(address: str) -> str:
    """The mailbox in which it ends: `ada@…` of `ada+shop@…`."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def is_office(address: str) -> bool:
    local = folded(address.partition("@")[0])
    return local in OFFICE or local.split("+")[0].split(".")[0].split("-")[0] in OFFICE


def reads_nothing(address: str) -> bool:
    return address.partition("@")[0] in MACHINES


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
