"""Mails of ours that came back: which one, from whom, and why.

Half of them are reports as RFC 3464 has them. The others are letters that a machine wrote to people: known by who
they say they are from, by their subject, and by what they say of a mail.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from domain.joining.subjects import is_marked
from integrations.mail.machines import letters, phrases, reports
from integrations.mail.machines.reports import LONGEST_SAID, Recipient
from integrations.mail.reading.headers import Headers, split
from integrations.mail.reading.letters import Letters
from integrations.mail.reading.parts import MOST_HEADER_BYTES, Part
from integrations.mail.reading.words import one_line

LONGEST_TEXT = 20_000

_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
    "message/partial",
)
_MESSAGE_ID = re.compile(r"^[> \t]{0,4}Message-I[Dd]:\s{0,5}<([^<>\s]{1,500})>", re.MULTILINE | re.IGNORECASE)
_ORIGINAL = re.compile(r"^(?:X-)?Original-Message-ID:\s{0,5}<([!-~]{1,500})>", re.MULTILINE | re.IGNORECASE)
_TO = re.compile(r"^[> \t]{0,4}To:[ \t]{0,5}([^\n]{1,500})", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Bounce:
    """One of our mails did not arrive, or not yet."""

    status: str
    """As RFC 3463 has it, `5.1.1`; "" when the bounce does not say."""
    recipient: str
    """ "" when it does not say."""
    message_id: str | None
    """Of the mail that bounced."""
    said: str
    """In the words of the server that refused it."""
    is_final: bool = True
    """Otherwise it is late, and still being tried."""


def read(headers: Headers, text: str, parts: list[Part]) -> Bounce | None:
    """What a bounce says; none for any other mail. `text` is what it says, `parts` what came with it."""
    return _Letter(headers, text[:LONGEST_TEXT], parts).bounce()


@dataclass
class _Letter:
    headers: Headers
    text: str
    parts: list[Part]

    def bounce(self) -> Bounce | None:
        reported = self._reported if self._may_report else []
        if reported and not (self._is_challenge and not self._from_daemon):
            told = [one for one in reported if not one.is_well]
            return self._by_report(told) if told else None
        return self._by_words() if self._is_letter() else None

    def _by_report(self, told: list[Recipient]) -> Bounce:
        failed = [one for one in told if not one.is_late]
        of = (failed or told)[0]
        is_late = not failed or (of.action not in reports.FAILED and self._is_late)
        said = of.diagnostic or reports.line_with_code(self._own_words)
        status = reports.status_of(of.status, said if said else self._own_words, late=is_late)
        return Bounce(
            status=status,
            recipient=of.address or self._recipient,
            message_id=self._message_id,
            said=(said or one_line(self._own_words))[:LONGEST_SAID],
            is_final=not is_late,
        )

    def _by_words(self) -> Bounce:
        is_late = self._is_late
        said = reports.line_with_code(self._own_words)
        return Bounce(
            status=reports.status_of("", self._own_words, late=is_late),
            recipient=self._recipient,
            message_id=self._message_id,
            said=(said or one_line(self._own_words))[:LONGEST_SAID],
            is_final=not is_late,
        )

    # Is it one?

    def _is_letter(self) -> bool:
        """A bounce that is no report: the less its sender says so, the more of the rest has to."""
        if self.headers.has("x-failed-recipients") or (self._is_report and self._text_says):
            return True
        if self._is_reply_of_a_machine or self._arrived or self._is_challenge:
            return False
        if self._from_daemon:
            return True
        if self._from_master and (self._subject_says or self._text_says or self._is_returned):
            return True
        if is_marked(self.subject) and not (self._is_returned and self._has_mail):
            return False
        proof = self._has_mail or reports.has_code(self._own_words)
        if self._is_returned:
            # Parcels are returned to their senders too; but only a mail to an address.
            return (self._subject_says or self._text_says) and (
                proof or letters.has_address_alone(self._own_words)
            )
        if self.headers.has("list-id") or self.headers.has("list-unsubscribe"):
            return False
        says = self._subject_says and self._text_says and reports.has_code(self._own_words)
        return says and self._brings_back_ours and bool(self._recipient)

    @cached_property
    def subject(self) -> str:
        return phrases.plain(self.headers.line("subject")[:1_000])

    @cached_property
    def _sender(self) -> str:
        return phrases.plain(self.headers.line("from")[:1_000])

    @cached_property
    def _from_daemon(self) -> bool:
        return phrases.is_daemon(self.headers)

    @cached_property
    def _from_master(self) -> bool:
        if phrases.says("senders", "daemons", self._sender):
            return True
        return phrases.says("senders", "masters", self._sender) or self._sender.endswith("<>")

    @cached_property
    def _is_returned(self) -> bool:
        """Nobody is to be told when it does not arrive."""
        path = self.headers.first("return-path")
        return self.headers.has("return-path") and path.strip().lower() in ("<>", "", "<mailer-daemon>")

    @cached_property
    def _subject_says(self) -> bool:
        return phrases.says("bounce", "subjects", self.subject)

    @cached_property
    def _text_says(self) -> bool:
        return phrases.says("bounce", "texts", self._plain)

    @cached_property
    def _is_late(self) -> bool:
        said = f"{self.subject} {self._plain[:3_000]}"
        return phrases.says("bounce", "delayed", said) and not phrases.says("bounce", "given_up", said)

    @cached_property
    def _arrived(self) -> bool:
        if phrases.says("bounce", "arrived", self.subject):
            return True
        return phrases.says("bounce", "arrived", self._plain[:1_000]) and not self._subject_says

    @cached_property
    def _is_reply_of_a_machine(self) -> bool:
        return phrases.begins("reply", "subjects", self.subject) and not self._has_mail

    @cached_property
    def _is_challenge(self) -> bool:
        return phrases.says("challenge", "texts", self._plain) and not self._from_daemon

    # What it says

    @cached_property
    def _may_report(self) -> bool:
        """Somebody who passes a bounce on has its parts too."""
        mime = self.headers.parameters("content-type")[0]
        if mime == "multipart/report" or self._is_report or self._from_daemon or self._from_master:
            return True
        return self._is_returned or (self._subject_says and not is_marked(self.subject))

    @cached_property
    def _is_report(self) -> bool:
        return self.headers.parameters("content-type")[1].get("report-type", "").lower() == "delivery-status"

    @cached_property
    def _reported(self) -> list[Recipient]:
        found = [
            one for part in self.parts if part.mime in _REPORTS for one in reports.recipients(part.text())
        ]
        if not found and re.search(
            r"^(?:Final|Original)-Recipient:", self.text, re.MULTILINE | re.IGNORECASE
        ):
            found = reports.recipients(self._own_words)
        return found

    @cached_property
    def _own_words(self) -> str:
        return letters.above(self.text)

    @cached_property
    def _plain(self) -> str:
        return phrases.plain(self._own_words[:6_000])

    @cached_property
    def _mail(self) -> Headers | None:
        """The headers of the mail that came back, of a part of its own."""
        for part in self.parts:
            if part.mime in _RETURNED:
                content = part.content()[:MOST_HEADER_BYTES].lstrip()
                return split(content, 0, len(content), Letters())[0]
        return None

    @cached_property
    def _has_mail(self) -> bool:
        return bool(self._mail and self._mail.fields) or len(self._own_words) < len(self.text)

    @cached_property
    def _brings_back_ours(self) -> bool:
        """Not what is quoted, nor somebody else's mail that is passed on: a customer has those."""
        went_to = {
            one.address.lower() for one in self.headers.addresses("to", "delivered-to", "x-original-to")
        }
        came_from = self._mail.addresses("from", "sender", "reply-to", "return-path") if self._mail else []
        return any(one.address.lower() in went_to for one in came_from)

    @cached_property
    def _message_id(self) -> str | None:
        ids = self._mail.ids("message-id") if self._mail else []
        if ids:
            return ids[0]
        below = self.text[len(self._own_words) :] if len(self._own_words) < len(self.text) else self.text
        pasted = _MESSAGE_ID.search(below) or _MESSAGE_ID.search(self.text)
        if pasted and pasted[1].isascii():
            return pasted[1]
        named = [
            found[1]
            for part in self.parts
            if part.mime in _REPORTS
            if (found := _ORIGINAL.search(part.text()))
        ]
        named += self.headers.ids("in-reply-to") + self.headers.ids("references")[::-1]
        return named[0] if named else None

    @cached_property
    def _recipient(self) -> str:
        named = self.headers.addresses("x-failed-recipients")
        if named:
            return named[0].address
        found = letters.addresses(self._own_words)
        for address in found:
            if address.lower() not in self._ours and not _is_of_a_machine(address):
                return address
        to = self._mail.addresses("to", "cc") if self._mail else []
        if to:
            return to[0].address
        pasted = _TO.search(self.text[len(self._own_words) :])
        found = reports.addresses_in(pasted[1]) if pasted else found
        return found[0] if found else ""

    @cached_property
    def _ours(self) -> set[str]:
        """Whom the bounce went to, and who wrote what came back."""
        names = self.headers.addresses("to", "from", "delivered-to", "reply-to", "x-original-to")
        names += self._mail.addresses("from", "sender", "reply-to", "return-path") if self._mail else []
        return {one.address.lower() for one in names}


def _is_of_a_machine(address: str) -> bool:
    return any(phrases.says("senders", kind, address.lower()) for kind in ("daemons", "masters"))
