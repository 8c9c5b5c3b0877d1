"""Whom a mail of ours goes to, and what became of it at each: kept in `Message.mail`, beside its headers.

`to`, `cc` and `bcc` are lists of `[name, address]`; `taken` lists the addresses whose side has it, `refused` is what the
others' said for good. Who is in neither is still to be sent to.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving.ourselves import mailboxes_among
from domain.customers.mailboxes import mail_address
from domain.db import Json
from domain.errors import InvalidInput
from domain.languages import N_

MOST = 20
"""Further addresses of one mail."""
LONGEST_ADDRESS = 254


class Role(StrEnum):
    TO = "to"
    CC = "cc"
    BCC = "bcc"


@dataclass(frozen=True)
class Recipient:
    name: str
    address: str
    role: Role
    refused: str | None


def recipients(mail: Json | None) -> list[Recipient]:
    mail = mail or {}
    refused = mail.get("refused") or {}
    return [
        Recipient(name, address, role, refused.get(address))
        for role in Role
        for name, address in mail.get(role) or ()
    ]


def left_to_send(mail: Json | None) -> list[str]:
    """Each once: nobody who has it gets it again."""
    done = {*((mail or {}).get("taken") or ()), *((mail or {}).get("refused") or ())}
    return list(dict.fromkeys(one.address for one in recipients(mail) if one.address not in done))


def after(mail: Json | None, *, taken: Collection[str], refused: Mapping[str, str]) -> Json:
    before = mail or {}
    has_it = [*(before.get("taken") or ()), *taken]
    left = {**(before.get("refused") or {}), **refused}
    return {**before, "taken": has_it} | ({"refused": left} if left else {})


def is_out(mail: Json | None) -> bool:
    """Has somebody it is addressed to taken it? A copy that arrived is no answer."""
    taken = (mail or {}).get("taken") or ()
    return any(one.role == Role.TO and one.address in taken for one in recipients(mail))


def has_failed(mail: Json | None) -> bool:
    """Has everybody it is addressed to refused it?"""
    return all(one.refused for one in recipients(mail) if one.role == Role.TO)


async def read_addresses(
    session: AsyncSession, given: Sequence[str], *, field: str, besides: Collection[str] = ()
) -> list[str]:
    """As they are sent to, each once. Refuses what is no address, and our own: a mail to ourselves would come back in.

    `besides`: who gets it anyway.
    """
    if not given:
        return []
    if len(given) > MOST:
        raise InvalidInput(N_("At most {most} addresses."), field=[field], most=MOST)
    read: dict[str, None] = {}
    for one in given:
        address = mail_address(one)
        if not address or not address.isascii() or '"' in address or len(address) > LONGEST_ADDRESS:
            raise InvalidInput(N_("{address} is not an email address."), field=[field], address=one)
        read[address] = None
    ours = await mailboxes_among(session, read)
    for address in read:
        if address in ours:
            raise InvalidInput(N_("{address} is an address of the shop."), field=[field], address=address)
    return [address for address in read if address not in besides]
