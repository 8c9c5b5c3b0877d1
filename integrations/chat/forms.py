"""A message with files: `multipart/form-data` as it came. It is read at the door, to be checked, and from the kept original
to be placed."""

import hashlib
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from domain.answering.uploads import READ, plain_name, type_of
from integrations.chat.frames import LARGEST_FRAME, BadFrame, Frame, read_frame

MOST_FILES = 5
LARGEST_FILE = 10 * 1024 * 1024
LARGEST_FORM = 25 * 1024 * 1024
LONGEST_HEADER = 4096


@dataclass(frozen=True)
class File:
    name: str
    mime: str
    content: bytes


@dataclass(frozen=True)
class Form:
    frame: Frame
    files: tuple[File, ...]


def boundary_of(content_type: str) -> str:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 200:
        raise BadFrame("bad_form", "files come as multipart/form-data")
    return boundary.decode("latin-1")


def read_form(body: bytes, boundary: str) -> Form:
    parts = _Parts(body, boundary).read()
    frames = [content for name, filename, _, content in parts if filename is None and name == "message"]
    files = [_file(filename, mime, content) for _, filename, mime, content in parts if filename is not None]
    if len(frames) != 1 or not files or len(files) + 1 != len(parts):
        raise BadFrame("bad_form", "a form has one field, message, and one file or more")
    if len(files) > MOST_FILES:
        raise BadFrame("bad_form", f"a message has at most {MOST_FILES} files")
    if len(frames[0]) > LARGEST_FRAME:
        raise BadFrame("too_large", f"the field message has at most {LARGEST_FRAME} bytes")
    return Form(read_frame(frames[0]), tuple(files))


def _file(filename: str, mime: str, content: bytes) -> File:
    if not content:
        raise BadFrame("empty_file", "a file is empty")
    if len(content) > LARGEST_FILE:
        raise BadFrame("too_large", f"a file has at most {LARGEST_FILE // 1024 // 1024} MB")
    name = plain_name(filename)
    return File(name, type_of(name, mime, content[:READ]), content)


def digest_of(text: str, files: tuple[File, ...] = ()) -> str:
    """By which the same message is known when it comes again."""
    whole = hashlib.sha256(text.encode("utf-8", "ignore"))
    for file in files:
        whole.update(hashlib.sha256(file.content).digest())
    return whole.hexdigest()


Part = tuple[str, str | None, str, bytes]


class _Parts:
    """Name, the file's name if it is one, type, content."""

    def __init__(self, body: bytes, boundary: str) -> None:
        self._body, self._boundary = body, boundary
        self._found: list[Part] = []
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._content = bytearray()
        self._ended = False

    def read(self) -> list[Part]:
        parser = MultipartParser(
            self._boundary.encode("latin-1"),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._whole,
            },
            max_header_size=LONGEST_HEADER,
        )
        try:
            parser.write(self._body)
            parser.finalize()
        except FormParserError:
            self._ended = False
        if not self._ended:
            raise BadFrame("bad_form", "the form is not whole")
        return self._found

    def _begin(self) -> None:
        if len(self._found) > MOST_FILES:
            raise BadFrame("bad_form", f"a message has at most {MOST_FILES} files")
        self._headers, self._content = {}, bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content += memoryview(data)[start:end]

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        self._found.append(
            (
                options.get(b"name", b"").decode("utf-8", "replace"),
                None if name is None else name.decode("utf-8", "replace"),
                self._headers.get(b"content-type", b"").decode("latin-1"),
                bytes(self._content),
            )
        )

    def _whole(self) -> None:
        self._ended = True
