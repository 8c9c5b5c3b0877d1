"""The parts of a mail: what it says, and what is attached.

Our own walk over the bytes, in place of the standard library's: parts are counted and depth is measured while they
are found, a nested mail stays the bytes it came as, and nothing is copied before it is decoded.
"""

import binascii
import html
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from integrations.mail.reading import invitations, markup, plain, tnef
from integrations.mail.reading.address_lists import LONGEST_NAME
from integrations.mail.reading.headers import LONGEST_ID, Headers, begin, split
from integrations.mail.reading.letters import Letters, clear_text, unbase64, unbase64_text
from integrations.mail.reading.words import one_line, words

MOST_HEADER_BYTES = 256 * 1024
MOST_PARTS = 1_000
DEEPEST = 50
# Of one multipart; twenty is much. Only the boundaries of nested parts look like those of their parent.
MOST_LINES = 10_000

_KINDS = mimetypes.MimeTypes()  # its own table, whatever the machine has in /etc/mime.types
_KINDS.add_type("image/webp", ".webp")
_KINDS.add_type("text/calendar", ".ics")
# How parts are called that have no name of their own.
_USUAL = {
    "text/calendar": "invite.ics",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/pgp-keys": "key.asc",
    "application/pgp-encrypted": "encryption.txt",
}


class Unreadable(Exception):
    """Not a mail at all, or too much of one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Attachment:
    name: str
    mime: str
    content: bytes
    content_id: str | None
    inline: bool
    """Shown within the HTML, which says `cid:` and its content id."""


@dataclass(frozen=True)
class Text:
    """A piece of what the mail says, as plain text, as HTML, or as both."""

    text: str | None
    html: str | None


@dataclass(frozen=True)
class Part:
    raw: bytes
    start: int
    end: int
    headers: Headers
    default: str

    @cached_property
    def type(self) -> tuple[str, dict[str, str]]:
        mime, parameters = self.headers.parameters("content-type")
        if not re.fullmatch(r"[\w.+-]{1,127}/[\w.+-]{1,127}", mime, re.ASCII):
            mime = "application/octet-stream" if self.name else self.default
        return mime, parameters

    @property
    def mime(self) -> str:
        return self.type[0]

    @cached_property
    def name(self) -> str:
        """The file name, without a path; "" when it has none."""
        written = self.headers.parameters("content-disposition")[1].get("filename")
        written = written or self.headers.parameters("content-type")[1].get("name", "")
        return file_name(words(written, self.headers.letters))

    def content(self) -> bytes:
        raw = self.raw[self.start : self.end]
        match self.headers.first("content-transfer-encoding").lower().split()[:1]:
            case ["base64"]:
                return unbase64_text(raw) if self.mime.startswith("text/") else unbase64(raw)
            case ["x-uuencode" | "uuencode" | "x-uue" | "uue"]:
                _, files = plain.without_files(raw.decode("latin-1").replace("\r", ""))
                return files[0][1] if files else raw
            case ["quoted-printable"]:
                return binascii.a2b_qp(raw)
        return raw

    def text(self) -> str:
        content = self.content()
        label = self.type[1].get("charset", "")
        if not label and self.mime == "text/html":
            meta = re.search(rb"""charset=["']?([\w-]+)""", content[:2_000])
            label = meta[1].decode("ascii") if meta else ""
        return self.headers.letters.decode(content, label).replace("\r\n", "\n").replace("\r", "\n")

    def without_boundary(self, text: str) -> str:
        """Of a multipart that has no parts: not even the line that ends them."""
        line = "--" + self.type[1].get("boundary", "") + "--"
        return "\n".join(one for one in text.split("\n") if one.strip() != line)

    def is_text(self, *, is_root: bool, may_be_named: bool = False) -> bool:
        if self.mime not in ("text/plain", "text/html"):
            return False
        disposition = self.headers.parameters("content-disposition")[0]
        return is_root or (disposition != "attachment" and (may_be_named or not self.name))

    def children(self) -> Iterator[tuple[int, int]]:
        """Where the parts between the boundary lines begin and end. None at all when there is no such line."""
        boundary = self.type[1].get("boundary", "").encode()
        if not boundary:
            return
        line = b"\n--" + boundary
        begun = None
        is_first = self.raw.startswith(line[1:], self.start, self.end)
        at = self.start - 1 if is_first else self.raw.find(line, self.start, self.end)
        for _ in range(MOST_LINES):
            if at < 0:
                break
            after = at + len(line)
            line_end = self.raw.find(b"\n", after, self.end)
            line_end = self.end if line_end < 0 else line_end
            rest = self.raw[after:line_end].strip()
            if rest in (b"", b"--"):
                if begun is not None:
                    yield begun, max(begun, at - (self.raw[at - 1 : at] == b"\r"))
                if rest:
                    return
                begun = min(line_end + 1, self.end)
                after = line_end  # the next boundary may follow at once
            at = self.raw.find(line, after, self.end)
        else:
            raise Unreadable(f"more than {MOST_LINES} lines like a boundary")
        if begun is not None:
            yield begun, self.end

    def attachment(self, number: int) -> Attachment:
        content = self.content()
        content_id = one_line(self.headers.first("content-id")).strip("<> ")[:LONGEST_ID] or None
        name = self.name
        if not name and self.mime == "message/rfc822":
            inner, _ = split(
                content, begin(content), min(len(content), MOST_HEADER_BYTES), self.headers.letters
            )
            subject = one_line(re.sub(r"[/\\]", " ", inner.line("subject")))
            name = f"{subject[: LONGEST_NAME - 4] or 'message'}.eml"
        elif not name and self.mime in _USUAL:
            name = _USUAL[self.mime]
        elif not name:
            textual = self.mime.startswith(("text/", "message/"))
            name = f"part-{number}{_KINDS.guess_extension(self.mime) or ('.txt' if textual else '.bin')}"
        return Attachment(name, self.mime, content, content_id, inline=False)


@dataclass
class Reading:
    """One mail being read: counts its parts, collects what is attached."""

    raw: bytes
    letters: Letters
    parts: int = 0
    attached: list[Part] = field(default_factory=list)
    files: list[tuple[str, bytes]] = field(default_factory=list)
    """Out of its texts: name and content."""
    room: int = markup.LONGEST

    def part(self, start: int, end: int, default: str = "text/plain") -> Part:
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Unreadable(f"more than {MOST_PARTS} parts")
        headers, body = split(self.raw, start, min(end, start + MOST_HEADER_BYTES + 1), self.letters)
        if body > start + MOST_HEADER_BYTES:
            raise Unreadable(f"more than {MOST_HEADER_BYTES} bytes of headers")
        return Part(self.raw, body, end, headers, default)

    def texts(self, part: Part, depth: int = 0, *, is_root: bool = False) -> Iterator[Text]:
        """What a part says, in order. What it does not say is attached; a nested mail is one attachment."""
        if depth > DEEPEST:
            raise Unreadable(f"parts nested deeper than {DEEPEST}")
        is_text = part.is_text(is_root=is_root)
        if part.mime.startswith("multipart/"):
            default = "message/rfc822" if part.mime == "multipart/digest" else "text/plain"
            children = [self.part(start, end, default) for start, end in part.children()]
            said = [list(self.texts(child, depth + 1)) for child in children]
            if part.mime == "multipart/alternative":
                yield from _best(said)
            else:
                yield from (text for texts in said for text in texts)
            is_text = not children
        if is_text:
            yield self._text(part)
        elif not part.mime.startswith("multipart/"):
            self.attached.append(part)

    def _text(self, part: Part) -> Text:
        text = part.text()
        if part.mime.startswith("multipart/"):
            text = part.without_boundary(text)
        if part.mime != "text/html":
            return Text(self._plain(part, text), None)
        page = markup.without_data(text)
        fits, self.room = len(page) <= self.room, max(0, self.room - len(page))
        return Text(None, page) if fits else Text(markup.to_text(page), None)

    def _plain(self, part: Part, text: str) -> str:
        parameters = part.type[1]
        if parameters.get("format", "").lower() == "flowed":
            text = plain.unflowed(text, delsp=parameters.get("delsp", "").lower() == "yes")
        text, files = plain.without_files(text)
        self.files += files[: MOST_PARTS - len(self.files)]
        return text

    def attachments(self, texts: list[Text]) -> tuple[list[Text], list[Attachment]]:
        """All that came along; and, for a mail that says nothing itself, what its winmail.dat or its invitation says, or a text
        that is to be shown, though it has a file's name."""
        out: list[Attachment] = []
        said: list[Text] = []
        is_said = any((one.text or one.html or "").strip() for one in texts)
        for number, part in enumerate(self.attached, 1):
            one = part.attachment(number)
            packed = tnef.opened(one.content) if tnef.is_tnef(one.mime, one.name, one.content) else None
            if packed is None:
                out.append(one)
            else:
                out += [
                    _named(file.name, file.content, len(out) + at, file.content_id)
                    for at, file in enumerate(packed.files, 1)
                ]
                said.append(Text(packed.text, markup.without_data(packed.html) if packed.html else None))
            if one.mime == "text/calendar":
                said.append(Text(invitations.told(part.text()), None))
            elif not is_said and part.is_text(is_root=False, may_be_named=True):
                said.append(self._text(part))
        out += [_named(name, content, len(out) + at) for at, (name, content) in enumerate(self.files, 1)]
        return texts if is_said else [one for one in said if one.text or one.html][:1], out


def file_name(written: str) -> str:
    """Without a path, control characters or disguises; "" when nothing is left."""
    path = one_line(written).replace("\\", "/")
    return path.rpartition("/")[2].strip(". ")[-LONGEST_NAME:]


def _named(written: str, content: bytes, number: int, content_id: str = "") -> Attachment:
    """A file of which nothing but its name tells its kind."""
    name = file_name(clear_text(written)) or f"part-{number}.bin"
    mime = _KINDS.guess_type(name)[0] or "application/octet-stream"
    return Attachment(
        name, mime, content, one_line(clear_text(content_id))[:LONGEST_ID] or None, inline=False
    )


def _best(alternatives: list[list[Text]]) -> Iterator[Text]:
    """Alternatives say the same: the first that is plain text, and the last that is HTML."""
    plain = [texts for texts in alternatives if texts and not any(text.html for text in texts)]
    text = next((text for text in map(joined_text, plain) if text), None)
    page = next(
        (joined_html(texts) for texts in reversed(alternatives) if any(one.html for one in texts)), None
    )
    if text is not None or page is not None:
        yield Text(text, page)


def joined_text(texts: list[Text]) -> str:
    said = (one.text if one.text is not None else markup.to_text(one.html or "") for one in texts)
    return "\n\n".join(text.strip("\n") for text in said if text.strip())


def joined_html(texts: list[Text]) -> str:
    said = (one.html if one.html is not None else _as_html(one.text or "") for one in texts)
    return "\n".join(said)


def _as_html(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>" if text.strip() else ""
