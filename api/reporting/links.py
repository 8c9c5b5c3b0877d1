"""`/reports/statistics.csv`: a report's table as a file, for who was given its link.

Links live ten minutes and die with the permission; what the file holds is what its reader may see when it is fetched.
"""

import base64
import json
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import strawberry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.context import reading_as
from api.house import House
from api.reporting.sheets import NAMES, lines
from domain.actors import Actor
from domain.agents.sign_in import actor_by_id
from domain.errors import Refused
from domain.languages import best_language, translate
from domain.reporting.asking import Asked, Grouping
from domain.reporting.counting import Report, Values, report
from domain.reporting.labels import PREVIOUS, TOTAL, label_of
from domain.reporting.periods import Period
from domain.ways_in.channels import ChannelKind
from integrations.serving import HEADERS, named

PURPOSE = "report-link"
LIVES = 600


@strawberry.enum(description="Between the columns of a file. With COMMA, decimals have a point.")
class CsvSeparator(Enum):
    COMMA = ","
    SEMICOLON = ";"
    TAB = "\t"


def link(house: House, actor: Actor, asked: Asked, locale: str, separator: CsvSeparator | None) -> str:
    until = int(time.time()) + LIVES
    wanted = {
        "from": asked.period.begin.isoformat(),
        "to": asked.period.end.isoformat(),
        "zone": asked.period.zone.key,
        "by": asked.by,
        "channels": list(asked.channels),
        "teams": [str(id) for id in asked.teams],
        "agents": [str(id) for id in asked.agents],
        "locale": best_language(locale),
        "separator": (separator or _usual(locale)).value,
    }
    query = base64.urlsafe_b64encode(json.dumps(wanted).encode()).decode().rstrip("=")
    signature = house.keys.sign(PURPOSE, query, actor.id, until)
    return f"{house.base_url}/reports/statistics.csv?q={query}&a={actor.id}&u={until}&s={signature}"


def _usual(locale: str) -> CsvSeparator:
    """What Excel expects where decimals have a comma."""
    return CsvSeparator.COMMA if best_language(locale) == "en" else CsvSeparator.SEMICOLON


def routes(house: House) -> list[Route]:
    async def download(request: Request) -> Response:
        wanted, agent_id = _signed(house, request)
        async with house.db.transaction() as session:
            actor = await actor_by_id(session, agent_id)
        if actor is None:
            raise HTTPException(404)
        async with reading_as(house, actor, wanted["locale"]) as reading:
            try:
                asked = _asked(actor, wanted, reading.at)
                found = await report(reading.connection, asked, NAMES)
            except Refused:  # they manage no more, and may ask for less
                raise HTTPException(404) from None
        written = lines(
            list(_labelled(asked, found, wanted["locale"])),
            locale=wanted["locale"],
            separator=wanted["separator"],
            comma=wanted["separator"] != "," and wanted["locale"] != "en",
        )
        name = f"heddle-{asked.by}-{asked.period.begin.astimezone(asked.period.zone):%Y-%m-%d}.csv"
        kept = HEADERS | {"Cache-Control": "no-store", "Content-Disposition": named(name, inline=False)}
        return StreamingResponse(written, media_type="text/csv; charset=utf-8", headers=kept)

    return [Route("/reports/statistics.csv", download, methods=["GET"])]


def _signed(house: House, request: Request) -> tuple[dict[str, Any], uuid.UUID]:
    asked = request.query_params
    query = asked.get("q", "")
    try:
        agent_id, until = uuid.UUID(asked.get("a", "")), int(asked.get("u", ""))
    except ValueError:
        raise HTTPException(404) from None
    good = house.keys.signed(asked.get("s", ""), PURPOSE, query, agent_id, until)
    if until < time.time() or not good:
        raise HTTPException(404)
    return json.loads(base64.urlsafe_b64decode(query + "=" * (-len(query) % 4))), agent_id


def _asked(actor: Actor, wanted: dict[str, Any], now: datetime) -> Asked:
    begin, end = (datetime.fromisoformat(wanted[name]) for name in ("from", "to"))
    return Asked(
        actor,
        Period(begin, end, ZoneInfo(wanted["zone"])),
        Grouping(wanted["by"]),
        now,
        channels=[ChannelKind(kind) for kind in wanted["channels"]],
        teams=[uuid.UUID(id) for id in wanted["teams"]],
        agents=[uuid.UUID(id) for id in wanted["agents"]],
    )


def _labelled(asked: Asked, found: Report, locale: str) -> Iterator[tuple[str, Values]]:
    for line in found.rows:
        yield label_of(asked, line, locale), line.values
    yield translate(locale, TOTAL), found.total
    yield translate(locale, PREVIOUS), found.previous
