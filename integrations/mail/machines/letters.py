"""The letters in which machines tell people that a mail came back: what is theirs, and whom they mean."""

import re

from integrations.mail.machines import reports
from integrations.mail.reading.address_lists import MOST_ADDRESSES, is_plain

# What stands above a mail that was pasted into the text.
_PASTED = re.compile(
    r"^[-=_*> ]{0,40}(?:below this line is a copy|this is a copy of the|original message follows|unsent message below|"
    r"message header follows|message text follows|original message|returned message|message headers|"
    r"the original message|your original message|copy of your message|original headers|"
    r"mensaje original|missatge original|oryginalna wiadomo|ursprüngliche nachricht|message d'origine|"
    r"messaggio originale|mensagem original)",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER = re.compile(
    r"^>?[ \t]{0,4}(?:received|return-path|message-id|from|date|subject|mime-version|x-[\w-]{1,40}|dkim-signature):[ \t]",
    re.IGNORECASE,
)
# Where the address that failed stands, the surest first.
_ALONE = re.compile(
    r"^[ \t>*-]{0,8}<?([^\s<>@:;,]{1,64}@[^\s<>@:;,]{1,255}?)>?[ \t]{0,4}:?[ \t]*\r?$", re.MULTILINE
)
_BEFORE = re.compile(r"^[ \t>*-]{0,8}<([^\s<>@]{1,64}@[^\s<>@]{1,255})>", re.MULTILINE)
_TOLD = re.compile(
    r"(?:\bto|recipients?|address(?:es)?|user|mailbox|for|account|destinatari\w{0,8}|odbiorc\w{0,8}|empfänger|an|à|para|adres\w{0,8})"
    r"[\s:=]{1,4}[\"'<(\[*]{0,3}([^\s<>@\"'()\[\],;:*]{1,64}@[^\s<>@\"'()\[\],;:*]{1,255})",
    re.IGNORECASE,
)

# After such words stands the address, if one does.
_FAILED = re.compile(
    r"following (?:recipient|address|destination|user|mail ?box)|did not reach|could ?n[o']t be delivered|"
    r"cannot be delivered|was not delivered|not delivered to|unable to deliver|failed recipient|failed to deliver|"
    r"undeliverable to|delivery to the following|delivery failed|permanent fatal errors|user unknown|unknown user|"
    r"had trouble|n'a pas pu|no se ha podido|no se pudo|no s'ha pogut|nie mog|nie zosta|nicht zugestellt|"
    r"impossibile|não foi|não pôde|niet worden|не было доставлено|не может быть",
    re.IGNORECASE,
)


def above(text: str) -> str:
    """A letter without the mail that came back, if it is pasted below."""
    pasted = _PASTED.search(text)
    end = pasted.start() if pasted and text[: pasted.start()].strip() else len(text)
    headers = 0
    position = 0
    for line in text[:end].splitlines(keepends=True):
        headers = headers + 1 if _HEADER.match(line) else headers if line[:1] in " \t" and line.strip() else 0
        position += len(line)
        if headers == 3:
            return _before_headers(text, position)
    return text[:end]


def _before_headers(text: str, end: int) -> str:
    """What stands above three lines of headers; all of it if nothing does."""
    lines = text[:end].splitlines(keepends=True)
    while lines and (_HEADER.match(lines[-1]) or (lines[-1][:1] in " \t" and lines[-1].strip())):
        lines.pop()
    return "".join(lines) if "".join(lines).strip() else text


def has_address_alone(said: str) -> bool:
    """On a line of its own."""
    return _ALONE.search(said) is not None


def addresses(said: str) -> list[str]:
    """Whom a letter names, the likeliest to have failed first."""
    said = re.sub(r"^[> ]{0,4}Message-ID:.*", "", said, flags=re.MULTILINE | re.IGNORECASE)
    failed = _FAILED.search(said)
    return [*(_candidates(said[failed.start() :]) if failed else ()), *_candidates(said)]


def _candidates(text: str) -> list[str]:
    """The addresses of a text, the likeliest first."""
    written = [one for pattern in (_ALONE, _BEFORE, _TOLD) for one in pattern.findall(text)[:MOST_ADDRESSES]]
    found = [reports.tidied(one.strip("<>\"'.")) for one in written]
    return [one for one in found if is_plain(one)] + reports.addresses_in(text)[:MOST_ADDRESSES]
