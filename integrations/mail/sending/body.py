"""What an answer says, as plain text and as HTML: the agent's words, the channel's signature, and what is quoted below.

The HTML is made of the same words, small and plain, so that nothing is in one that is not in the other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

# Without a font Outlook takes Times; without a line at its side a quote looks like the answer.
_BODY = 'body style="font-family:Arial,Helvetica,sans-serif;font-size:14px;overflow-wrap:anywhere"'
_QUOTE = 'blockquote type="cite" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"'

# A link ends before what closes the sentence around it.
_LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]}…»”]")

_NAMED = re.compile(r"^(<p>)?([^<>]+): <a href=\"([^\"]+)\">\3</a>", re.MULTILINE)


@dataclass(frozen=True)
class Below:
    """What somebody wrote before: with `quoted`, as the words that are answered, otherwise passed on as they are."""

    heading: tuple[str, ...]
    text: str
    quoted: bool = True


def plain(text: str, *, signature: str = "", below: Below | None = None) -> str:
    parts = [text.rstrip()]
    if signature:
        parts.append(f"-- \n{signature.rstrip()}")
    if below:
        lines = below.text.splitlines()
        said = "\n".join(f"> {line}".rstrip() for line in lines) if below.quoted else "\n".join(lines)
        parts.append("\n".join([*below.heading, *([] if below.quoted else [""]), said]))
    return "\n\n".join(parts) + "\n"


def html(
    text: str,
    *,
    language: str = "",
    signature: str = "",
    below: Below | None = None,
    names_links: bool = False,
) -> str:
    """With `names_links`, of a line that is a name, a colon and a link, the name is the link."""
    lang = f' lang="{escape(language)}"' if language else ""
    parts = [f'<!DOCTYPE html>\n<html{lang}>\n<head><meta charset="utf-8"></head>\n<{_BODY}>']
    parts += [_NAMED.sub(_named, one) for one in _paragraphs(text)] if names_links else _paragraphs(text)
    if signature:
        parts += ["<div>-- <br>", _lines(signature), "</div>"]
    if below:
        heading = "<br>\n".join(escape(line) for line in below.heading)
        within = _QUOTE if below.quoted else "div"
        parts += [f"<p>{heading}</p>", f"<{within}>", *_paragraphs(below.text), f"</{within.split()[0]}>"]
    return "\n".join([*parts, "</body>", "</html>"]) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n[ \t]*\n+", text.strip("\n").replace("\r\n", "\n")):
        yield f"<p>{_lines(paragraph)}</p>"


def _named(line: re.Match[str]) -> str:
    return f'{line[1] or ""}<a href="{line[3]}">{line[2]}</a>'


def _lines(text: str) -> str:
    return "<br>\n".join(_line(line) for line in text.strip("\n").splitlines())


def _line(line: str) -> str:
    said, end = [], 0
    for link in _LINK.finditer(line):
        said += [_kept(line[end : link.start()]), f'<a href="{escape(link[0])}">{escape(link[0])}</a>']
        end = link.end()
    return "".join([*said, _kept(line[end:])])


def _kept(text: str) -> str:
    """Spaces that HTML would run together stay: columns, and lines that are set in."""
    spaced = re.sub(r"^ | (?= )", "\N{NO-BREAK SPACE}", text.expandtabs(4))
    return escape(spaced, quote=False)
