"""What a browser is given of a mail's HTML: read back as a browser reads it."""

import re
from collections.abc import Iterator

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from integrations.mail.reading.markup import clean, content_ids, shown

PICTURES = {"vase@shop": "https://help.shop.example/files/1?a=2&s=3"}
HARMLESS = {
    "align", "alt", "char", "charoff", "colspan", "data-remote-src", "datetime", "dir", "headers", "height", "href", "hreflang",
    "referrerpolicy", "rel", "rowspan", "scope", "size", "span", "src", "start", "summary", "target", "title", "width", "lang",
}  # fmt: skip

ATTACKS = [
    "<script>alert(1)</script>x",
    '<img src=x onerror="alert(1)">x',
    '<img src="https://e.test/x.png" onload=alert(1)>x',
    "<svg onload=alert(1)><script>alert(1)</script></svg>x",
    "<svg><style><img src=x onerror=alert(1)></style></svg>x",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>x",
    "<math href='javascript:alert(1)'>x</math>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="JaVaScRiPt&colon;alert(1)">x</a>',
    '<a href="java&#10;script:alert(1)">x</a>',
    '<a href=" &#14; javascript:alert(1)">x</a>',
    '<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>',
    '<a href="vbscript:msgbox(1)">x</a>',
    '<a href="//e.test/x">x</a><a href="/logout">y</a><a href="?x">z</a>',
    '<img src="data:image/svg+xml,<svg onload=alert(1)>">x',
    '<p style="width:expression(alert(1))">x</p>',
    '<p style="background-image:url(https://e.test/x)">x</p>',
    "<style>@import url(https://e.test/x);</style>x",
    '<base href="https://e.test/"><img src="x.png"><a href="y">x</a>',
    '<meta http-equiv="refresh" content="0;url=https://e.test">x',
    '<form action="https://e.test"><input name=password><button formaction=javascript:alert(1)>x</button></form>',
    '<input type="image" src="https://e.test/x.png">x',
    '<iframe src="https://e.test"></iframe><iframe srcdoc="<script>alert(1)</script>"></iframe>x',
    '<object data="https://e.test/x"></object><embed src="https://e.test/x">x',
    '<video poster="https://e.test/x.png" src="https://e.test/x" autoplay></video><audio src="https://e.test/x"></audio>x',
    '<picture><source srcset="https://e.test/x.png"><img srcset="https://e.test/x.png 2x"></picture>x',
    '<table background="https://e.test/x.png"><tr><td background="https://e.test/x.png">x</table>',
    '<link rel="stylesheet" href="https://e.test/x.css"><link rel="dns-prefetch" href="//e.test">x',
    '<a href="https://e.test" ping="https://e.test/p" target="_self" rel="opener">x</a>',
    '<blockquote cite="https://e.test/x">x</blockquote><q cite="javascript:alert(1)">y</q>',
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>x",
    "<template><img src=x onerror=alert(1)></template>x",
    "<title><img src=x onerror=alert(1)></title>x",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'>x",
    "<!--[if gte mso 9]><img src=x onerror=alert(1)><![endif]-->x",
    '<img data-remote-src="javascript:alert(1)" src="cid:vase@shop">x',
    '<img src="http:javascript:alert(1)">x<img src="https:/e.test/x">',
    '<img src="https://e.test/x&quot; onerror=&quot;alert(1)">x',
    '<img alt=\'<img src="cid:vase@shop" onerror=alert(1)>\' src="https://e.test/&#34;>&lt;img src=&#34;x">x',
    "<p title='\"><img src=x onerror=alert(1)>' id=password class=admin>x",
    "<a href=\"https://e.test/'onmouseover='alert(1)\">x</a>",
    "<img src='https://e.test/\u0000x' / onerror=alert(1)>x",
]


def elements(page: str) -> Iterator[LexborNode]:
    body = LexborHTMLParser(page).body
    assert body is not None
    return (node for node in body.traverse() if node.tag != "body")


def assert_harmless(page: str, *, loads: str) -> None:
    """`loads`: what a picture's source has to begin with."""
    for node in elements(page):
        assert node.tag in nh3.ALLOWED_TAGS
        for name, value in node.attributes.items():
            assert name in HARMLESS
            if name == "src":
                assert node.tag == "img"
                assert re.match(loads, value or "")
            elif name == "href":
                assert re.match("https?:|mailto:|tel:", value or "")
            elif name == "data-remote-src":
                assert node.tag == "img"
                assert re.match(r"https?://\w", value or "")
        if node.tag == "a":
            assert node.attributes["target"] == "_blank"
            assert node.attributes["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_page_runs_loads_or_leads_where_it_wants(attack: str) -> None:
    cleaned = clean(attack) or ""

    assert_harmless(cleaned, loads="cid:")
    assert_harmless(shown(cleaned, PICTURES), loads="https://help.shop.example/")
    assert_harmless(shown(cleaned, PICTURES, remote_images=True), loads=r"https?://\w")
    assert "alert" not in "".join(node.tag or "" for node in elements(cleaned))


FRAGMENTS = [
    '"', "'", "<", ">", "&quot;", "&lt;", " src=", "<img ", "<a href=", "cid:", "https://e.test/", "javascript:", "data-remote-src=", "=", "/>",
    "<svg>", "<style>", "<!--", "-->", "</p>", "<p title=", "x", "\n", "onerror=alert(1)", "vase@shop", "\t", "`",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30))
@settings(max_examples=1000, deadline=None)
def test_no_arrangement_of_pieces_does(pieces: list[str]) -> None:
    cleaned = clean("".join(pieces)) or ""

    assert_harmless(cleaned, loads="cid:")
    assert_harmless(shown(cleaned, PICTURES), loads="https://help.shop.example/")
    assert_harmless(shown(cleaned, PICTURES, remote_images=True), loads=r"https?://\w")


def sources(page: str) -> list[str | None]:
    return [node.attributes.get("src") for node in elements(page) if node.tag == "img"]


def test_pictures_from_elsewhere_load_when_asked_for_and_no_dots() -> None:
    page = clean(
        '<img src="https://e.test/a.png?x=1&amp;y=2" alt="A"><img src="HTTP://e.test/b.png"><img src="https://e.test/p" width="1" height="1">'
    )
    assert page is not None

    assert sources(shown(page, {})) == [None, None, None]
    assert sources(shown(page, {}, remote_images=True)) == [
        "https://e.test/a.png?x=1&y=2",
        "HTTP://e.test/b.png",
        None,
    ]
    assert all(
        node.attributes["referrerpolicy"] == "no-referrer"
        for node in elements(shown(page, {}, remote_images=True))
        if node.attributes.get("src")
    )


def test_pictures_that_came_along_are_shown_by_their_links() -> None:
    page = clean('<p>Look:</p><img src="cid:vase%40shop"><img src="CID:vase@shop"><img src="cid:lost@shop">')
    assert page is not None

    link = PICTURES["vase@shop"]
    assert content_ids(page) >= {"vase@shop", "lost@shop"}
    assert sources(shown(page, PICTURES)) == [link, link, None]


def test_what_a_text_says_of_pictures_is_text() -> None:
    page = clean('<p>Write &lt;img src="https://e.test/x"&gt; or src="cid:vase@shop"</p>')
    assert page is not None

    assert shown(page, PICTURES, remote_images=True) == page
    assert LexborHTMLParser(page).body.text() == 'Write <img src="https://e.test/x"> or src="cid:vase@shop"'  # type: ignore[union-attr]
