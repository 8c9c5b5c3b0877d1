"""HTML out of a mail: cleaned for the screen, and as plain text.

Both work in time we can afford: nh3 and lexbor are quadratic in depth (100,000 nested divs take lexbor 22 s) and
in attributes (100,000 on one tag 37 s), and unclosed <b>s are written anew in every paragraph. Such a page has no
HTML; its text is what stands between the tags.
"""

import html
import re
from collections.abc import Mapping
from urllib.parse import unquote

import nh3
from selectolax.lexbor import LexborHTMLParser, LexborNode

from integrations.mail.reading.tangles import is_tangled

LONGEST = 500_000

UNSEEN = {"head", "script", "style", "title", "template", "noscript", "iframe", "object"}
# How many new lines at least stand before and after.
_GAPS = dict.fromkeys(
    ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre"), 2
)
_GAPS |= dict.fromkeys(
    ("div", "li", "tr", "dt", "dd", "hr", "section", "article", "header", "footer", "center"), 1
)


_ATTRIBUTES = {tag: set(names) - {"cite"} for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
_ELSEWHERE = re.compile(r"https?://\w", re.IGNORECASE)
# In what nh3 writes, `<` and `>` stand around tags only, and `"` around the values of attributes.
_IMAGE = re.compile("<img [^<>]*>")
_DOT = re.compile(' (?:width|height)="[01](?:px)?"')


def without_data(page: str) -> str:
    """Leaves out images written into the page itself, which we do not show and which would make it too long."""
    return re.sub(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=\s]*", "", page)


def clean(page: str) -> str | None:
    """Safe to show: no scripts, no styles, and nothing that loads by itself.

    Of images, those sent along (`cid:`) keep their source, and those that lie elsewhere have it as `data-remote-src`; `shown`
    makes of either what a browser loads. None for a page that is too long or too tangled, or shows nothing.
    """
    if len(page) > LONGEST or is_tangled(page):
        return None
    cleaned = nh3.clean(
        page,
        clean_content_tags=UNSEEN - {"head"},
        attributes=_ATTRIBUTES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        attribute_filter=_only_pictures,
        link_rel="noopener noreferrer nofollow",
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        url_relative="deny",
    )
    cleaned = _IMAGE.sub(lambda image: re.sub(' src="(?!cid:)', ' data-remote-src="', image[0]), cleaned)
    return cleaned.strip() if "<img" in cleaned or re.sub("<[^>]*>", "", cleaned).strip() else None


def shown(cleaned: str, pictures: Mapping[str, str], *, remote_images: bool = False) -> str:
    """A cleaned page for a browser. `pictures`: where those that were sent along lie, by content id.

    With `remote_images` it loads those that lie elsewhere, but no picture of one dot: nobody looks at that.
    """

    def source(image: re.Match[str]) -> str:
        written = re.sub(' src="cid:([^"]*)"', sent_along, image[0])
        if remote_images and not _DOT.search(written):
            return written.replace(' data-remote-src="', ' referrerpolicy="no-referrer" src="')
        return written

    def sent_along(found: re.Match[str]) -> str:
        name = html.unescape(found[1])
        link = pictures.get(name) or pictures.get(unquote(name))
        return f' src="{html.escape(link)}"' if link else ""

    return _IMAGE.sub(source, cleaned)


def content_ids(cleaned: str) -> set[str]:
    """The parts of the mail that a cleaned page shows."""
    found = {html.unescape(source) for source in re.findall('<img [^>]*?src="cid:([^"]*)"', cleaned)}
    return found | {unquote(source) for source in found}


def to_text(page: str) -> str:
    page = page[:LONGEST]
    body = None if is_tangled(page) else LexborHTMLParser(page).body
    if body is None:
        return _tidy(html.unescape(re.sub("<[^<>]*>?", " ", page)))
    out: list[str] = []
    gap = 0
    stack: list[LexborNode | int] = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, int):
            gap = max(gap, node)
        elif node.tag == "-text":
            text = node.text_content or ""
            if node.parent is None or node.parent.tag != "pre":
                text = re.sub(r"\s+", " ", text)
            if text.strip():
                out += ["\n" * min(gap, 2), text]
                gap = 0
            elif not gap:
                out.append(" ")
        elif node.tag == "br":
            gap += 1
        elif node.tag not in UNSEEN:
            around = _GAPS.get(node.tag or "", 0)
            gap = max(gap, around)
            stack.append(around)
            stack += reversed(list(node.iter(include_text=True)))
            if node.tag in ("td", "th") and not gap:
                out.append(" ")
    return _tidy("".join(out))


def _only_pictures(tag: str, attribute: str, value: str) -> str | None:
    scheme = value[:4].lower()
    if attribute == "href":
        return None if scheme == "cid:" else value
    if attribute == "src":
        return f"cid:{value[4:]}" if scheme == "cid:" else value if _ELSEWHERE.match(value) else None
    return value


def _tidy(text: str) -> str:
    lines = [re.sub("[ \t\xa0]+", " ", line).strip() for line in text.splitlines()]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()
