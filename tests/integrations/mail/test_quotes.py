"""`quoted/*.txt`: mails as programs write them. A line's first letter says whether it is shown (`|`) or folded (`-`)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.joining.subjects import passes_on
from integrations.mail.folding.quotes import fold
from integrations.mail.reading.markup import to_text

FOLDER = Path(__file__).parent / "quoted"


@dataclass(frozen=True)
class Sample:
    name: str
    text: str
    said: str

    def __str__(self) -> str:
        return self.name


def samples() -> Iterator[Sample]:
    for path in sorted(FOLDER.glob("*.txt")):
        for part in path.read_text(encoding="utf-8").split("### ")[1:]:
            name, *lines = part.rstrip("\n").split("\n")
            lines = [line for line in lines if line]
            assert all(line[0] in "|-" for line in lines), name
            said = "\n".join(line[1:] for line in lines if line[0] == "|").strip("\n")
            yield Sample(f"{path.stem}: {name}", "\n".join(line[1:] for line in lines), said)


SAMPLES = list(samples())


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_what_somebody_says_is_shown_and_what_they_quote_is_folded(sample: Sample) -> None:
    assert fold(sample.text) == sample.said


# Pages

GMAIL = """<div dir="ltr">{own}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">{line}
 &lt;<a href="mailto:ben@shop.example">ben@shop.example</a>&gt;{wrote}<br></div><blockquote class="gmail_quote"
 style="margin:0 0 0 .8ex"><div>Dear Ada,</div><div>which colour?</div></blockquote></div>"""
OUTLOOK = """<div class="WordSection1"><p class="MsoNormal">{own}</p><div><div style='border:none;border-top:solid #E1E1E1
 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class="MsoNormal"><b>{0}:</b> Ben<br><b>{1}:</b> 3.11.2025<br><b>{2}:</b> Ada<br><b>{3}:</b>
 Vase</p></div></div><p class="MsoNormal">Which colour?</p></div>"""
PAGES = {
    "Gmail in a language of which we know nothing": (
        GMAIL.format(own="<div>Blue!</div>", line="Aye, Moonday 3, Ben", wrote=" hath spoken:"),
        "Blue!",
    ),
    "Gmail, with its signature": (
        GMAIL.format(
            own='Blue!<div><br></div><span class="gmail_signature_prefix">-- </span><br><div class="gmail_signature">Ada<br>London</div>',
            line="On Mon, Nov 3, 2025 at 12:00 PM Ben",
            wrote=" wrote:",
        ),
        "Blue!",
    ),
    "Gmail, old": (
        '<div dir="ltr">Blue!</div><div class="gmail_extra"><br><div class="gmail_quote">On Monday Ben wrote:<br>'
        '<blockquote class="gmail_quote">Which colour?</blockquote></div><br></div>',
        "Blue!",
    ),
    "Gmail, answered below": (
        '<div class="gmail_quote"><div class="gmail_attr">On Monday Ben wrote:<br></div><blockquote class="gmail_quote">Which colour?'
        "</blockquote><div>Blue!</div></div>",
        "Blue!",
    ),
    "Gmail, answered between": (
        '<div class="gmail_quote"><div class="gmail_attr">On Mon, Nov 3, 2025 at 12:00 PM Ben &lt;ben@shop.example&gt; wrote:<br></div>'
        '<blockquote class="gmail_quote">Which colour?</blockquote><div>Blue!</div><blockquote class="gmail_quote">Which size?</blockquote>'
        "<div>38</div></div>",
        None,
    ),
    "Gmail, passed on": (
        '<div dir="ltr">See below.<br><br><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>'
        "From: <b>Courier</b><br>Date: Mon<br>Subject: Parcel<br>To: Ada<br></div>It is lost.</div></div>",
        None,
    ),
    "Apple Mail": (
        '<html><body>Blue!<div><br></div><div><blockquote type="cite"><div>On 3. Nov., Ben &lt;ben@shop.example&gt; wrote:</div><br>'
        "<div>Which colour?</div></blockquote></div><br></body></html>",
        "Blue!",
    ),
    "iPhone": (
        '<div dir="ltr">Blue!</div><div dir="ltr"><br></div><div dir="ltr">Enviat des del meu iPhone</div><div dir="ltr"><br>'
        '<blockquote type="cite">El 3 nov 2025, a les 12:00, Botiga va escriure:<br><br></blockquote></div><blockquote type="cite">'
        '<div dir="ltr">Quin color?</div></blockquote>',
        "Blue!",
    ),
    "Thunderbird": (
        '<p>Blue!</p><div class="moz-cite-prefix">On 11/3/25 12:00, Ben wrote:<br></div><blockquote type="cite" cite="mid:1@shop.example">'
        '<p>Which colour?</p></blockquote><div class="moz-signature">-- <br>Ada</div>',
        "Blue!",
    ),
    "Outlook in Polish": (OUTLOOK.format("Od", "Wysłano", "Do", "Temat", own="Blue!"), "Blue!"),
    "Outlook in a language of which we know nothing": (
        OUTLOOK.format("Fr", "Se", "Tu", "Su", own="Blue!"),
        "Blue!",
    ),
    "Outlook on the web": (
        '<div>Blue!</div><div id="appendonsend"></div><hr style="width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>Fr:</b> Ben<br></div>'
        "<div>Which colour?</div>",
        "Blue!",
    ),
    "Outlook on a telephone, with its signature": (
        '<div>Blue!</div><div id="ms-outlook-mobile-signature">Outlookia<br></div><hr><div id="divRplyFwdMsg"><b>Fr:</b> Ben</div>'
        "<div>Which colour?</div>",
        "Blue!",
    ),
    "Outlook on a Mac": (
        '<div>Blue!</div><span id="OLK_SRC_BODY_SECTION"><div>Fr: Ben</div><div>Which colour?</div></span>',
        "Blue!",
    ),
    "Hotmail": ('<div>Blue!<br><hr id="stopSpelling">Dato: 3<br>Fr: Ben<br><br>Which colour?</div>', "Blue!"),
    "Yahoo": (
        '<div>Blue!</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>Moonday, Ben wrote:</div><div>Which colour?</div></div>',
        "Blue!",
    ),
    "Proton": (
        '<div>Blue!</div><div class="protonmail_signature_block">Sent safely.</div><div class="protonmail_quote">Moonday, Ben wrote:<br>'
        '<blockquote class="protonmail_quote" type="cite">Which colour?</blockquote></div>',
        "Blue!",
    ),
    "a writer's own quotation": (
        "<p>You say:</p><blockquote>We deliver in a day.</blockquote><p>Do you?</p>",
        None,
    ),
    "a page with nothing quoted": ("<p>Where is it?</p><p>Ada</p>", None),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_elements_of_a_page_say_what_is_quoted(name: str) -> None:
    page, said = PAGES[name]
    text = to_text(page)

    assert fold(text, page) == (text if said is None else said)


def test_the_page_tells_where_the_plain_text_beside_it_ends() -> None:
    page = GMAIL.format(
        own='<div>Blue, like <a href="https://example.org/v">this</a>!</div><ol><li>Really.</li></ol>',
        line="Moonday",
        wrote=":",
    )
    text = "Blue, like\nthis <https://example.org/v>!\n\n   1. Really.\n\nMoonday <ben@shop.example>:\nwhich colour?"

    assert fold(text, page) == "Blue, like\nthis <https://example.org/v>!\n\n   1. Really."


def test_a_page_that_says_something_else_than_the_text_decides_nothing() -> None:
    page = GMAIL.format(own="Buy now", line="Moonday", wrote=":")

    assert fold("Where is it?\n\nAda", page) == "Where is it?\n\nAda"


def test_what_a_mail_passes_on_is_what_it_is_about() -> None:
    text = "FYI\n\nFrom: Ben <ben@shop.example>\nSent: Monday, 3 November 2025 12:00\nTo: Ada\nSubject: Vase\n\nIt is lost."

    assert fold(text, passes_on=passes_on("FW: Vase")) == text
    assert fold(text, passes_on=passes_on("RE: FW: Vase")) == "FYI"


@pytest.mark.parametrize("subject", ["Fwd: x", "FW: x", "WG: x", "RV: x", "TR: x", "PD: x", "I: x", "ENC: x"])
def test_a_subject_says_that_a_mail_is_passed_on(subject: str) -> None:
    assert passes_on(subject)
    assert not passes_on(f"Re: {subject}")
    assert not passes_on("Forward: march")


# Whatever comes

PIECES = [
    "> quoted", "> > twice", ">", "", "", "Hello,", "Blue.", "-- ", "--", "Ada", "Sent from my iPhone", "On Monday, Ben wrote:",
    "On Mon, Nov 3, 2025 at 12:00 PM Ben <ben@shop.example> wrote:", "Am 03.11.2025 um 12:00 schrieb Laden:", "From: Ben <b@shop.example>",
    "Sent: Monday, 3 November 2025 12:00", "To: Ada", "Subject: Vase", "________________________________", "-----Original Message-----",
    "---------- Forwarded message ---------", "Missatge de Botiga <b@shop.example> del dia dl., 3 de nov. 2025 a les", "12:00:",
    "This message is confidential.", "+44 20 7946 0000", "<ben@shop.example>", "wrote:", "## Reply above this line ##",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=30))
@settings(max_examples=500, deadline=None)
def test_what_is_shown_stands_in_the_text_and_is_never_nothing(lines: list[str]) -> None:
    text = "\n".join(lines)

    said = fold(text)

    assert said == text or said in text
    assert bool(said.strip()) == bool(text.strip())
    assert [*said.split("\n")] == [line for line in said.split("\n") if line in text.split("\n")]


@given(st.lists(st.sampled_from(PIECES), max_size=30))
@settings(max_examples=500, deadline=None)
def test_what_is_folded_is_not_folded_further(lines: list[str]) -> None:
    said = fold("\n".join(lines))

    assert fold(said) == said


@given(st.lists(st.sampled_from(PIECES), max_size=20), st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_page_shows_what_is_not_in_the_text(lines: list[str], rest: str) -> None:
    text = "\n".join(lines)

    assert fold(text, f"<div>{text}<div class=gmail_quote>{rest}") in text


@pytest.mark.parametrize(
    "text",
    [
        ">\n" * 100_000,
        "> a\nb\n" * 50_000,
        "Hi\n" + "On Mon, Nov 3, 2025 at 12:00 PM Ben <b@shop.example> wrote:\n" * 50_000,
        "Hi\n" + "wrote:\n" * 100_000,
        "Hi\n" + "From: a@b\n" * 100_000,
        "Hi\n" + "From: a\n\n" * 100_000,
        "Hi\n" + ("on " * 200 + "wrote:\n") * 2_000,
        "Hi\n" + ("a" * 100_000 + ":\n") * 20,
        "Hi\n" + "Sent from my iPhone\n" * 100_000,
        "Hi\n" + "sent from " * 100_000,
        "Hi\n" + "-- \n" * 100_000,
        "Hi\n" + "--\nx\n" * 50_000,
        "Hi\n" + "_" * 1_000_000,
        "Hi\n" + "________\n" * 100_000,
        "Hi\n" + "<" * 500_000,
        "Hi\n" + "@" * 500_000 + ":",
        "Hi\n" + "1:00 " * 100_000 + "wrote:",
        "\n" * 500_000,
        "[cid:" * 100_000,
        "Missatge de " * 50_000 + ":",
    ],
    ids=range(20),
)
def test_no_text_takes_longer_than_its_length(text: str) -> None:
    started = time.perf_counter()

    fold(text)

    assert time.perf_counter() - started < 10  # a machine may be busy with other things


@pytest.mark.parametrize(
    "page",
    [
        "<div class=gmail_quote>" * 20_000,
        "<blockquote type=cite>x" * 20_000,
        "<div class=gmail_quote>---- Forwarded message ----" * 10_000,
        "<hr id=stopSpelling>" * 50_000,
        "<p style='border-top:solid #E1E1E1'>a:b:c" * 20_000,
        "<i></i>" * 100_000 + "x",
        "x<br>" * 100_000,
    ],
    ids=range(7),
)
def test_no_page_takes_longer_than_its_length_to_fold(page: str) -> None:
    text = to_text(page)
    started = time.perf_counter()

    fold(text, page)

    assert time.perf_counter() - started < 10
