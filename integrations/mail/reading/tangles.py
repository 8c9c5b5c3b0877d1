"""How much work it would be to build the tree of a page, reckoned without building it, and rather too much than too little.

Only what a browser takes for a tag counts, and an end tag closes no more than it does there: else whoever writes
`<div><!--</div>-->`, `<div a="</div>">` or `<b><div></b>` again and again goes deeper each time, and nobody sees it.
"""

import re

_SHORT = 5_000
"""Letters of a page whose tree is soon built, whatever it is."""
_MOST_WORK = 2_000_000
_MOST_ATTRIBUTES = 1_000

_ATTRIBUTE = (
    r"[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+"
    r"""(?:[ \t\n\f\r]*+=[ \t\n\f\r]*+(?:"[^"]*+"?|'[^']*+'?|[^ \t\n\f\r>"'][^ \t\n\f\r>]*+)?)?"""
)
_TOKEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(?:[!?]|/(?![a-zA-Z]))[^>]*+"
    rf"|<(/?)([a-zA-Z][^ \t\n\f\r/>]*+)((?:[ \t\n\f\r/]|{_ATTRIBUTE})*+)>?",
    re.DOTALL,
)
# They hold no tags: all up to the end tag is text.
_END_OF_TEXT = {
    name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE)
    for name in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
}
_NEVER_OPEN = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    "html", "head", "body",
}  # fmt: skip
# Closed by the next of their kind, so that they need no end tag and never pile up.
_CLOSED_BY_NEXT = {"p", "li", "dd", "dt", "tr", "td", "th", "tbody", "thead", "option"}
# Within them nothing is closed by itself, and other things hold no tags.
_FOREIGN = {"svg", "math"}
# Closed alone: what was opened within them stays.
_FORMATTING = {
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
}  # fmt: skip
_ALONE = _FORMATTING | {"form"}
# No end tag within them closes what is around them.
_WALLS = _FOREIGN | {
    "applet", "caption", "marquee", "noscript", "object", "select", "table", "template",
}  # fmt: skip
# Closed with all that is within them, but only by their own end tag, or that of another of these.
_BLOCKS = _WALLS - _FOREIGN - {"noscript"} | {
    "address", "annotation-xml", "article", "aside", "blockquote", "button", "center", "desc", "details", "dialog",
    "dir", "div", "dl", "fieldset", "figcaption", "figure", "footer", "foreignobject", "form", "h1", "header", "hgroup",
    "listing", "main", "menu", "mi", "mn", "mo", "ms", "mtext", "nav", "ol", "pre", "search", "section", "summary", "ul",
}  # fmt: skip
_HEADINGS = {f"h{level}" for level in range(1, 7)}


def is_tangled(page: str) -> bool:
    """Whether reading the page would cost too much: the depth at each tag, summed up, and the attributes of a tag."""
    if len(page) <= _SHORT:
        return False
    opened: list[str] = []
    work = at = 0
    while token := _TOKEN.search(page, at):
        at = token.end()
        closing, written, rest = token.groups()
        is_foreign = not _FOREIGN.isdisjoint(opened)
        if "</noscript" in token[0][1:].lower() or (is_foreign and token[0].startswith("<![CDATA[")):
            return True  # who reads it as text, and who as tags, go on at different places
        if written is None:
            continue
        work += len(opened) + 1
        if work > _MOST_WORK or _attributes(rest) > _MOST_ATTRIBUTES:
            return True
        name = written.lower() if written.isascii() else written
        name = "h1" if name in _HEADINGS else name  # any of them closes any other
        if closing:
            _close(opened, name, is_foreign=is_foreign)
        elif name in _END_OF_TEXT:
            if is_foreign or "select" in opened:  # it may hold tags there
                return True
            end = _END_OF_TEXT[name].search(page, at)
            at = end.start() if end else len(page)
        elif is_foreign or name not in _NEVER_OPEN | _CLOSED_BY_NEXT:
            opened.append(name)
    return False


def _close(opened: list[str], name: str, *, is_foreign: bool) -> None:
    for place in reversed(range(len(opened))):
        found = opened[place]
        if found == name:
            opened[place:] = [one for one in opened[place + 1 :] if one in _FORMATTING or name in _ALONE]
            return
        if found in _WALLS or (found in _BLOCKS and (is_foreign or name not in _BLOCKS | _ALONE)):
            return


def _attributes(rest: str) -> int:
    return len(re.findall(r"[\s/=]", rest)) if len(rest) > _MOST_ATTRIBUTES else 0
