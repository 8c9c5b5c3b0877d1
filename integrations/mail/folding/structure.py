"""What the elements of an HTML mail say: which of its words are quoted, and which are a signature.

Mail programs put what they quote into elements of their own. Compared are letters and digits alone, so that it does not
matter how the plain text beside the page breaks its lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from selectolax.lexbor import LexborHTMLParser, LexborNode

from integrations.mail.folding import marks
from integrations.mail.reading import markup
from integrations.mail.reading.tangles import is_tangled

_QUOTES = {
    "yahoo_quoted",
    "moz-cite-prefix",
    "protonmail_quote",
    "zmail_extra",
    "aolReplacedBody",
    "gmail_attr",
    "tutanota_quote",
    "qt",
}
_QUOTE_IDS = {"OLK_SRC_BODY_SECTION", "reply-intro"}
_ENDS = {"divRplyFwdMsg", "stopSpelling", "replySplit", "zwchr", "mail-editor-reference-message-container"}
_SIGNATURES = {"gmail_signature", "gmail_signature_prefix", "moz-signature", "protonmail_signature_block"}
_SIGNATURE_IDS = {"Signature", "ms-outlook-mobile-signature"}

_MOST_NODES = 200

# The line across above the fields of a quoted mail, in the colours of Outlook's releases.
_OUTLOOK = re.compile(r"border-top:\s*solid\s+#(?:e1e1e1|b5c4df|e5e5e5)", re.IGNORECASE)
_LINKS = re.compile(
    r"<(?:https?|mailto|tel):[^<>]*>|\(https?://[^()]*\)|\[(?:https?:|cid:|image:|bild:|imagen:|imatge:)[^\[\]]*\]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Own:
    """Letters of what its writer wrote."""

    above: list[str] = field(default_factory=list)
    """What stands above a quote, or above a signature: the shortest first, which ends where a signature begins."""
    below: str = ""
    """What stands below a quote that begins the mail."""
    is_between: bool = False
    """Some of it stands below a quote, and more of either around."""


def letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def spellings(line: str) -> Iterator[str]:
    """The letters of a line of plain text, which names the addresses of links and numbers the points of a list."""
    without = letters(_LINKS.sub("", line))
    yield without
    written = letters(line)
    if written != without:
        yield written
    unnumbered = letters(re.sub(r"^\s*\d{1,3}[.)]\s", "", line))
    if unnumbered != written:
        yield unnumbered


def read(page: str) -> Own | None:
    """None where no element says anything."""
    page = page[: markup.LONGEST]
    body = None if is_tangled(page) else LexborHTMLParser(page).body
    if body is None:
        return None
    said = [
        (kind, "".join(text for _, text in group))
        for kind, group in groupby(_pieces(body, page), key=lambda piece: piece[0])
    ]
    pieces = [(kind, letters(text)) for kind, text in said if letters(text)]
    if (
        len(pieces) > 2
        and pieces[-2][0] == "quote"
        and marks.begins_notice(marks.plain(said[-1][1].lstrip()))
    ):
        pieces.pop()
    kinds = [kind for kind, _ in pieces]
    if not set(kinds) & {"quote", "signature"} or "own" not in kinds:
        return None
    own = [place for place, kind in enumerate(kinds) if kind == "own"]
    quotes = [place for place, kind in enumerate(kinds) if kind == "quote"]
    above = [pieces[0][1]] if kinds[0] == "own" and own == [0] else []
    if quotes and own[-1] > quotes[0]:
        if own[0] > quotes[0] and len(own) == 1 and own[0] > quotes[-1]:
            return Own(below="".join(said for kind, said in pieces[own[0] :]))
        return Own(is_between=True)
    if quotes and quotes[0] > 0:
        above.append("".join(said for _, said in pieces[: quotes[0]]))
    return Own(above=above) if above else None


def _pieces(body: LexborNode, page: str) -> Iterator[tuple[str, str]]:
    """Its texts in order, each with what it is: `own`, `quote` or `signature`."""
    is_outlook = "divRplyFwdMsg" in page or "stopSpelling" in page
    stack: list[tuple[LexborNode, str]] = [(body, "own")]
    while stack:
        node, kind = stack.pop()
        if node.tag == "-text":
            yield kind, node.text_content or ""
            continue
        if node.tag in markup.UNSEEN or not node.is_element_node:
            continue
        if kind == "own":
            kind = _kind(node, is_outlook=is_outlook)
        if kind == "end":
            kind = "quote"
            stack = [(left, "quote") for left, _ in stack]
        children = list(node.iter(include_text=True))
        if kind == "container":
            kinds = _kinds_within(children)
            stack += reversed(list(zip(children, kinds, strict=True)))
        else:
            stack += [(child, kind) for child in reversed(children)]


def _kind(node: LexborNode, *, is_outlook: bool) -> str:
    attributes = node.attributes
    id = attributes.get("id") or ""
    classes = set((attributes.get("class") or "").split())
    if id in _ENDS or (id == "appendonsend" and is_outlook):
        return "end"
    if "gmail_quote" in classes and node.tag != "blockquote":
        return "own" if _is_passed_on(node) else "container"
    if node.tag == "blockquote" and (attributes.get("type") == "cite" or "gmail_quote" in classes):
        return "own" if _is_passed_on(node) else "quote"
    if classes & _QUOTES or id in _QUOTE_IDS or (node.tag == "div" and attributes.get("name") == "quote"):
        return "own" if _is_passed_on(node) else "quote"
    if classes & _SIGNATURES or id in _SIGNATURE_IDS:
        return "signature"
    if _OUTLOOK.search(attributes.get("style") or "") and _begins(node, 400).count(":") > 1:
        return "end"
    return "own"


def _kinds_within(children: list[LexborNode]) -> list[str]:
    """Within what Gmail quotes, answers may stand below the first quoted piece; what stands above it says whose it is."""
    first = next((place for place, child in enumerate(children) if child.tag == "blockquote"), None)
    if first is None:
        return ["quote"] * len(children)
    return ["quote"] * (first + 1) + ["own"] * (len(children) - first - 1)


def _is_passed_on(node: LexborNode) -> bool:
    return any(marks.divider(line) == "forwarded" for line in _first_lines(node))


def _first_lines(node: LexborNode) -> list[str]:
    return [line for line in map(marks.plain, _begins(node, 300).split("\n")) if line][:3]


def _begins(node: LexborNode, length: int) -> str:
    """About so many letters of its text, each of its texts a line."""
    said: list[str] = []
    stack = [node]
    for _ in range(_MOST_NODES):
        if not stack or length < 0:
            break
        one = stack.pop()
        if one.tag == "-text":
            said.append((one.text_content or "").replace("\n", " ").strip())
            length -= len(said[-1])
        elif one.tag not in markup.UNSEEN:
            stack += reversed(list(one.iter(include_text=True)))
    return "\n".join(filter(None, said))
