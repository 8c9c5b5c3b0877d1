"""`/feedback/{token}`: where a survey's link leads. No script, no sign-in, nothing of the ticket but its number.

To look changes nothing: mail scanners and previews open links before people do. What is answered is posted, in one tap. Whoever
comes with a link that was forged, has expired or is of nobody sees one and the same page.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qsl

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.house import House
from domain.addresses import counted_as
from domain.buckets import Buckets
from domain.customers.contacts import Contact
from domain.db import database_time
from domain.desk.messages import Item
from domain.desk.tickets import Ticket
from domain.feedback import wording
from domain.feedback.links import request_of
from domain.feedback.requests import CHANGED_WITHIN, LONGEST_WORDS, AnsweredBy, SurveyRequest, held_request
from domain.feedback.scales import SCORES, Scale
from domain.feedback.surveys import Survey
from domain.languages import N_, day_said, preferred_language, translate
from domain.ways_in.channels import Channel
from integrations.storable import storable
from integrations.webhook import body_of

FOLDER = Path(__file__).parent
PAGE, FORM = (Template((FOLDER / name).read_text(encoding="utf-8")) for name in ("page.html", "form.html"))
STYLE = (FOLDER / "feedback.css").read_bytes()

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
OF_LINK, OF_ADDRESS = 20, 120
"""Requests in a minute: with one link, and from one address."""
LARGEST_BODY = 32 * 1024
"""The longest words fit in every script: a letter of three bytes is nine in a form."""

OVER = N_("This link is no longer valid.")
TOO_OFTEN = N_("That was too often. Please wait a minute.")
CHOOSE = N_("Choose an answer first.")
THANKS = N_("Thank you for your answer.")
THANKS_UNTIL = N_("Thank you for your answer. You can change it until {day}.")
REFUSED = N_("You will not be asked such questions any more.")
STOP_QUESTION = N_("Shall we ask you no such questions any more?")
STOP = N_("Do not ask me again")
SEND = N_("Send")
WORDS = N_("Would you like to add something?")
REQUEST = N_("Your request {number}")


@dataclass(frozen=True)
class Asked:
    """A survey, and the link by which somebody has come to it."""

    request: SurveyRequest
    survey: Survey
    number: int
    shop: str
    token: str
    at: datetime

    def line(self, sentence: str, **values: object) -> str:
        return translate(self.request.language, sentence, **values)


Show = Callable[[Request, AsyncSession, Asked], Awaitable[Response]]


def routes(house: House) -> list[Route]:
    links, addresses = Buckets(), Buckets()

    def door(show: Show) -> Callable[[Request], Awaitable[Response]]:
        async def opened(request: Request) -> Response:
            token = request.path_params["token"]
            id = request_of(house.keys, token)
            seconds = addresses.take(_address(request), 1, per_minute=OF_ADDRESS)
            if id and not seconds:
                seconds = links.take(token, 1, per_minute=OF_LINK)
            if seconds:
                return _alone(request, TOO_OFTEN, 429, {"Retry-After": str(seconds)})
            async with house.db.transaction() as session:
                asked = await _asked(session, id, token) if id else None
                return await show(request, session, asked) if asked else _alone(request, OVER, 404)

        return opened

    return [
        Route("/feedback/feedback.css", _style, methods=["GET"]),
        Route("/feedback/{token}", door(_ask), methods=["GET"]),
        Route("/feedback/{token}", door(_take), methods=["POST"]),
        Route("/feedback/{token}/stop", door(_ask_to_stop), methods=["GET"]),
        Route("/feedback/{token}/stop", door(_stop), methods=["POST"]),
    ]


def _address(request: Request) -> str:
    return counted_as(request.client.host if request.client else None)


async def _style(request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers=HEADERS | {"Cache-Control": "no-cache"})


async def _asked(session: AsyncSession, id: uuid.UUID, token: str) -> Asked | None:
    channel_id = func.coalesce(Item.channel_id, SurveyRequest.channel_id)
    found = await session.execute(
        select(SurveyRequest, Survey, Ticket.number, Channel)
        .join(Survey, Survey.id == SurveyRequest.survey_id)
        .join(Ticket, Ticket.id == SurveyRequest.ticket_id)
        .join(Contact, Contact.id == Ticket.contact_id)
        .join(Item, Item.id == SurveyRequest.item_id)
        .join(Channel, Channel.id == channel_id)
        .where(SurveyRequest.id == id, Contact.erased_at.is_(None))
    )
    row = found.one_or_none()
    now = await database_time(session)
    if row is None or not row.SurveyRequest.is_known(at=now):
        return None
    asked = Asked(row.SurveyRequest, row.Survey, row.number, row.Channel.shop, token, now)
    answered = asked.request.answered_at is not None
    return asked if answered or asked.request.takes_answers(at=now) else None


async def _ask(request: Request, session: AsyncSession, asked: Asked) -> Response:
    """The link's score is marked until one was given: then that one is what counts."""
    given = asked.request.score
    return _form(asked, _score(request.query_params.get("score")) if given is None else given, _said(asked))


async def _take(request: Request, session: AsyncSession, asked: Asked) -> Response:
    given = dict(parse_qsl((await body_of(request, largest=LARGEST_BODY)).decode("utf-8", "replace")))
    score = _score(given.get("score"))
    if score is None or not asked.request.offers(score):
        return _form(asked, None, asked.line(CHOOSE), status=400)
    found = await held_request(session, asked.request.id)
    if found and found[0].takes_answers(at=asked.at):
        words = storable(given.get("words", "")).strip() or None
        survey, ticket = found
        survey.answer(ticket, score=score, words=words, by=AnsweredBy.LINK, at=asked.at)
    return _back(asked)


async def _ask_to_stop(request: Request, session: AsyncSession, asked: Asked) -> Response:
    question = REFUSED if asked.request.refused_at else STOP_QUESTION
    body = f'<p class="quiet">{escape(asked.shop)}</p><h1>{escape(asked.line(question))}</h1>'
    if not asked.request.refused_at:
        action = f"/feedback/{asked.token}/stop"
        body += f'<form method="post" action="{action}"><button>{escape(asked.line(STOP))}</button></form>'
    return _page(asked.request.language, asked.shop, body)


async def _stop(request: Request, session: AsyncSession, asked: Asked) -> Response:
    if found := await held_request(session, asked.request.id):
        found[0].refuse(at=asked.at)
    return _back(asked, "/stop")


def _back(asked: Asked, to: str = "") -> Response:
    """To a page that can be loaded again without saying anything twice."""
    return RedirectResponse(f"/feedback/{asked.token}{to}", status_code=303, headers=HEADERS)


def _score(written: str | None) -> int | None:
    return (
        int(written) if written and written.isascii() and written.isdecimal() and len(written) < 3 else None
    )


def _said(asked: Asked) -> str:
    request = asked.request
    if request.answered_at is None:
        return asked.line(REFUSED) if request.refused_at else ""
    if not request.takes_answers(at=asked.at):
        return asked.line(THANKS)
    day = day_said(request.answered_at + CHANGED_WITHIN, request.language)
    return asked.line(THANKS_UNTIL, day=day)


def _form(asked: Asked, chosen: int | None, said: str, *, status: int = 200) -> Response:
    request, language = asked.request, asked.request.language
    mark = " wrong" if status >= 400 else ""
    told = f'<p class="said{mark}" role="status">{escape(said)}</p>' if said else ""
    number = asked.line(REQUEST, number=f"#{asked.number}")
    if not request.takes_answers(at=asked.at):
        body = f'<p class="quiet">{escape(asked.shop)} · {escape(number)}</p>{told}'
        return _page(language, asked.shop, body)
    scores = SCORES[request.scale]
    words = {
        "shop": asked.shop,
        "request": number,
        "question": wording.question(asked.survey, language),
        "least": wording.meaning(request.scale, scores[0], language),
        "most": wording.meaning(request.scale, scores[-1], language),
        "words": asked.line(WORDS),
        "send": asked.line(SEND),
        "stop": asked.line(STOP),
    }
    body = FORM.substitute(
        {name: escape(word) for name, word in words.items()},
        said=told,
        token=asked.token,
        scale=request.scale,
        scores="\n          ".join(_choice(request.scale, score, language, chosen) for score in scores),
        longest=LONGEST_WORDS,
    )
    return _page(language, asked.shop, body, status=status)


def _choice(scale: Scale, score: int, language: str, chosen: int | None) -> str:
    meaning = wording.meaning(scale, score, language)
    label = f"{score} – {meaning}" if meaning else str(score)
    checked = " checked" if score == chosen else ""
    return (
        f'<label><input type="radio" name="score" value="{score}" aria-label="{escape(label)}" required{checked}>'
        f"<span>{wording.label(scale, score)}</span></label>"
    )


def _alone(request: Request, sentence: str, status: int, headers: dict[str, str] | None = None) -> Response:
    """To whoever has no good link: nothing that says whether there was ever one."""
    language = preferred_language(request.headers.get("accept-language", ""))
    said = translate(language, sentence)
    page = _page(language, said, f"<h1>{escape(said)}</h1>", status=status)
    page.headers.update({"Vary": "Accept-Language", **(headers or {})})
    return page


def _page(language: str, title: str, body: str, *, status: int = 200) -> Response:
    shown = PAGE.substitute(lang=language, title=escape(title), body=body)
    return Response(shown, status_code=status, media_type="text/html", headers=HEADERS)
