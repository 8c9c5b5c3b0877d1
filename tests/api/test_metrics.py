"""Statistics as the phone asks for them: who sees which figures, the tickets behind them, and the file."""

import csv
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select, update

from api.house import House
from domain.actors import Role
from domain.agents.staff import Agent
from domain.answering import replies
from domain.customers.contacts import Identity, IdentityKind
from domain.db import new_id
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket, TicketStatus
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import Scale, SurveyKind
from domain.ids import public_id, row_id
from domain.reporting import keeping
from tests.client import Client
from tests.factories import NOON
from tests.statements import statements
from tests.two_teams import TwoTeams

MARCH = {"from": "2026-03-01T00:00:00+01:00", "to": "2026-04-01T00:00:00+02:00", "zone": "Europe/Warsaw"}

SCREEN = """
fragment M on MetricRow { key label handled firstReplyP50 firstReplyP90 handleP50 slaPercent csat reopened }
query MStats($range: MetricRange!) {
  byAgent: metrics(range: $range, groupBy: AGENT) { total { ...M } previous { ...M } rows { ...M } }
  byChannel: metrics(range: $range, groupBy: CHANNEL) { rows { ...M } }
  byDay: metrics(range: $range, groupBy: DAY) { rows { key handled slaPercent } }
}"""

NARROWED = """query($range: MetricRange!, $by: MetricGroup!) { metrics(range: $range, groupBy: $by) {
  total { opened handled csat } rows { label handled csat } } }"""

MERGE = "mutation($input: TicketMergeInput!) { ticketMerge(input: $input) { userErrors { code } } }"
MARK = "mutation($input: TicketMarkSpamInput!) { ticketMarkSpam(input: $input) { userErrors { code } } }"

BEHIND = """query($range: MetricRange!, $key: ID!, $figure: MetricFigure!, $after: String) {
  metricTickets(range: $range, groupBy: AGENT, key: $key, figure: $figure, first: 1, after: $after) {
    totalCount edges { cursor count seconds node { id } } pageInfo { hasNextPage endCursor }
  }
}"""


async def ben_has_answered(house: House, shop: TwoTeams) -> None:
    """Ada, an hour later; her ticket is solved with that, for her complaint was decided."""
    async with house.db.transaction() as session:
        ben = await session.get_one(Agent, row_id("Agent", shop.ids["Ben"]))
        ticket = await locked(session, row_id("Ticket", shop.ids["Ticket"]))
        ada = (await session.scalars(select(Identity).where(Identity.kind == IdentityKind.EMAIL))).first()
        assert ada
        ticket.undecided = False
        await replies.send(
            session, house.keys, ticket, to=ada, text="It is on its way.", by=ben.as_actor(), at=NOON + timedelta(hours=1),
            last_seen_seq=0, force=True, after=TicketStatus.SOLVED,
        )  # fmt: skip
        await session.flush()
        await keeping.measure(session, list(await session.scalars(select(Ticket.id))))


async def test_the_phones_screen_is_one_round_trip_of_few_statements(
    house: House, two_teams: TwoTeams
) -> None:
    await ben_has_answered(house, two_teams)
    await two_teams.mia.ask(SCREEN, range=MARCH)  # who she is, is known now

    with statements(house.db) as sent:
        found = await two_teams.mia.ask(SCREEN, range=MARCH)

    assert len([one for one in sent if "sign_in" not in one]) <= 8, sent
    (ben,) = [row for row in found["byAgent"]["rows"] if row["label"] == "Ben"]
    assert (ben["key"], ben["handled"], ben["firstReplyP50"]) == (two_teams.ids["Ben"], 1, 3600)
    assert (found["byAgent"]["total"]["slaPercent"], found["byAgent"]["previous"]["handled"]) == (0.0, 0)
    assert [row["label"] for row in found["byChannel"]["rows"]] == ["Email"]
    assert len(found["byDay"]["rows"]) == 31
    assert {row["key"] for row in found["byDay"]["rows"] if row["handled"]} == {"2026-03-02"}


async def test_a_number_opens_its_tickets_page_by_page(house: House, two_teams: TwoTeams) -> None:
    await ben_has_answered(house, two_teams)
    opened, after = [], None

    while True:
        asked = {"range": MARCH, "key": "total", "figure": "OPENED", "after": after}
        page = (await two_teams.mia.ask(BEHIND, **asked))["metricTickets"]
        opened += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert len(set(opened)) == len(opened) == page["totalCount"] == 2
    asked = {"range": MARCH, "key": two_teams.ids["Ben"], "figure": "FIRST_REPLY"}
    (reply,) = (await two_teams.mia.ask(BEHIND, **asked))["metricTickets"]["edges"]
    assert (reply["node"]["id"], reply["count"], reply["seconds"]) == (two_teams.ids["Ticket"], 1, 3600)


async def test_the_period_before_a_year_and_a_day_opens_its_tickets_though_a_clock_changed(
    house: House, two_teams: TwoTeams
) -> None:
    await ben_has_answered(house, two_teams)
    range = {"from": "2026-10-25T23:00:00Z", "to": "2027-10-26T23:00:00Z", "zone": "Europe/Madrid"}

    behind = await two_teams.mia.ask(BEHIND, range=range, key="previous", figure="OPENED")

    assert behind["metricTickets"]["totalCount"] == 2


async def test_a_report_is_narrowed_to_channels_teams_and_agents_and_grouped_by_hour_and_by_team(
    house: House, two_teams: TwoTeams
) -> None:
    await ben_has_answered(house, two_teams)
    async with house.db.transaction() as session:
        at = NOON + timedelta(hours=2)
        team = row_id("Team", two_teams.ids["Team"])
        await session.execute(update(SurveyRequest).values(answered_at=at, score=5, team_id=team))

    async def total(**narrowed: Any) -> tuple[int, int, float | None]:
        row = (await two_teams.mia.ask(NARROWED, range=MARCH | narrowed, by="TEAM"))["metrics"]["total"]
        return row["opened"], row["handled"], row["csat"]

    async def rows(by: str) -> dict[str, tuple[int, float | None]]:
        found = (await two_teams.mia.ask(NARROWED, range=MARCH, by=by))["metrics"]["rows"]
        return {row["label"]: (row["handled"], row["csat"]) for row in found if row["handled"] or row["csat"]}

    ids = two_teams.ids
    assert await total(channels=["EMAIL"]) == (1, 1, 100.0)
    assert await total(channels=["SMS"]) == (0, 0, None)
    assert await total(teamIds=[ids["Team"]]) == (2, 1, 100.0)
    assert await total(agentIds=[ids["Ben"]]) == (0, 1, 100.0)
    assert await total(agentIds=[ids["Mia"]]) == (0, 0, None)
    assert await rows("TEAM") == {"Support": (1, 100.0)}
    assert await rows("HOUR") == {"14:00": (1, None), "15:00": (0, 100.0)}
    assert await rows("DAY") == {"Mar 2, 2026": (1, 100.0)}


async def test_whoever_was_rated_stands_in_the_report_and_its_file_though_nothing_else_was_theirs(
    house: House, two_teams: TwoTeams
) -> None:
    async with house.db.transaction() as session:
        team = row_id("Team", two_teams.ids["Team"])
        later = NOON + timedelta(days=20)
        await session.execute(update(SurveyRequest).values(answered_at=later, score=5, team_id=team))
    days = {"from": "2026-03-20T00:00:00Z", "to": "2026-03-24T00:00:00Z"}
    query = """query($range: MetricRange!, $by: MetricGroup!) { metrics(range: $range, groupBy: $by) {
      csvUrl rows { label csat messagesIn } total { csat } } }"""

    found = {
        by: (await two_teams.mia.ask(query, range=days, by=by))["metrics"]
        for by in ("AGENT", "TEAM", "CHANNEL")
    }

    rows = {by: [(row["label"], row["csat"]) for row in one["rows"]] for by, one in found.items()}
    assert rows == {"AGENT": [("Ben", 100.0)], "TEAM": [("Support", 100.0)], "CHANNEL": [("Email", 100.0)]}
    assert {(one["total"]["csat"], one["rows"][0]["messagesIn"]) for one in found.values()} == {(100.0, 0)}
    url = urlsplit(found["AGENT"]["csvUrl"])
    head, ben, *_ = csv.reader((await _fetched(two_teams.mia, f"{url.path}?{url.query}"))[1].splitlines())
    assert (ben[:3], dict(zip(head, ben, strict=True))["Satisfied customers, %"]) == (
        ["Ben", "0", "0"],
        "100.0",
    )


async def test_who_recommends_the_shop_counts_when_it_was_said_and_who_answers_when_it_was_asked(
    house: House, two_teams: TwoTeams
) -> None:
    """Zofia was asked in February, too; and what nobody has answered yet gives no score."""
    in_march, before = NOON, NOON - timedelta(days=30)
    async with house.db.transaction() as session:
        one = (await session.scalars(select(SurveyRequest))).one()
        kept = {column.name: getattr(one, column.name) for column in SurveyRequest.__table__.columns}
        moments = [
            (10, in_march, before),
            (9, in_march, in_march),
            (8, in_march, in_march),
            (6, in_march, in_march),
            (None, None, in_march),
        ]
        for place, (score, answered_at, asked_at) in enumerate(moments):
            row = kept | {
                "id": new_id(),
                "event_seq": 10**9 + place,
                "item_id": None,
                "kind": SurveyKind.NPS,
                "scale": Scale.TEN,
            }
            session.add(
                SurveyRequest(**row | {"score": score, "answered_at": answered_at, "asked_at": asked_at})
            )
        await session.delete(one)

    asked = "query($range: MetricRange!) { metrics(range: $range, groupBy: AGENT) { rows { label ...F } total { ...F } previous { ...F } } }"
    found = (
        await two_teams.mia.ask(
            f"{asked} fragment F on MetricRow {{ csat nps surveyAnsweredPercent }}", range=MARCH
        )
    )["metrics"]

    march = {"csat": None, "nps": 25.0, "surveyAnsweredPercent": 75.0}
    assert found == {
        "rows": [{"label": "Ben", **march}],
        "total": march,
        "previous": {"csat": None, "nps": None, "surveyAnsweredPercent": 100.0},
    }


async def test_what_was_said_of_spam_counts_for_nothing_also_where_it_has_become_part_of_another(
    house: House, two_teams: TwoTeams
) -> None:
    async with house.db.transaction() as session:
        rated = await session.scalar(select(SurveyRequest.ticket_id))
        other = await session.scalar(select(Ticket.id).where(Ticket.id != rated))
        await session.execute(update(SurveyRequest).values(answered_at=NOON, score=1))
    assert rated
    assert other
    rateds, others = public_id("Ticket", rated), public_id("Ticket", other)

    async def csat() -> float | None:
        found = await two_teams.mia.ask(NARROWED, range=MARCH, by="AGENT")
        told: float | None = found["metrics"]["total"]["csat"]
        return told

    assert await csat() == 0.0
    assert await two_teams.mia.refused(MERGE, primaryId=others, otherIds=[rateds]) == []
    assert await csat() == 0.0
    assert await two_teams.mia.refused(MARK, ids=[others]) == []
    assert await csat() is None


async def test_agents_see_their_own_figures_and_what_their_teams_come_to(
    house: House, two_teams: TwoTeams
) -> None:
    await ben_has_answered(house, two_teams)
    async with house.db.transaction() as session:
        await session.execute(update(Ticket).values(team_id=None))  # everybody's

    ben, eve = [(await who.ask(SCREEN, range=MARCH))["byAgent"] for who in (two_teams.ben, two_teams.eve)]
    bens = await two_teams.eve.ask(BEHIND, range=MARCH, key=two_teams.ids["Ben"], figure="HANDLED")
    errors = await two_teams.eve.errors(SCREEN, range=MARCH | {"agentIds": [two_teams.ids["Ben"]]})

    assert [row["label"] for row in ben["rows"]] == ["Ben"]
    assert eve["rows"] == []
    assert ben["total"] == eve["total"]
    assert eve["total"]["handled"] == 1
    assert bens["metricTickets"]["totalCount"] == 0
    assert errors[0]["extensions"]["code"] == "NOT_ALLOWED"


async def test_the_file_is_its_readers_for_as_long_as_they_work_here(
    house: House, two_teams: TwoTeams
) -> None:
    await ben_has_answered(house, two_teams)
    query = "query($range: MetricRange!) { metrics(range: $range, groupBy: AGENT) { csvUrl(separator: SEMICOLON) } }"
    url = urlsplit((await two_teams.mia.ask(query, range=MARCH))["metrics"]["csvUrl"])

    fetched = await _fetched(two_teams.mia, f"{url.path}?{url.query}")
    of_another = await _fetched(two_teams.mia, f"{url.path}?{url.query}".replace("q=ey", "q=eY"))
    async with house.db.transaction() as session:
        mia = row_id("Agent", two_teams.ids["Mia"])
        await session.execute(update(Agent).where(Agent.id == mia).values(left_at=NOON))
    too_late = await _fetched(two_teams.mia, f"{url.path}?{url.query}")

    assert fetched[0] == 200
    head, ben, total, before = fetched[1].splitlines()
    assert head.startswith("\ufeff;Opened;Handled;Solved;")
    assert ben.startswith("Ben;0;1;1;")
    assert total.startswith("Total;2;1;1;")
    assert before.startswith("The period before;0;0;0;")
    assert of_another[0] == too_late[0] == 404


async def _fetched(client: Client, address: str) -> tuple[int, str]:
    answer = await client.http.get(address)
    return answer.status_code, answer.content.decode()


async def test_what_makes_no_sense_is_refused_by_name(two_teams: TwoTeams) -> None:
    for wrong in ({"zone": "Mars/Olympus"}, {"to": MARCH["from"]}, {"to": "2027-04-02T00:00:00Z"}):
        errors = await two_teams.mia.errors(SCREEN, range=MARCH | wrong)
        assert {error["extensions"]["code"] for error in errors} == {"INVALID"}
    for key in (two_teams.ids["Team"], "yesterday"):
        errors = await two_teams.mia.errors(BEHIND, range=MARCH, key=key, figure="SOLVED")
        assert errors[0]["extensions"]["code"] == "NOT_FOUND"


async def test_the_file_of_a_colleagues_figures_dies_with_the_right_to_see_them(
    house: House, two_teams: TwoTeams
) -> None:
    query = "query($range: MetricRange!) { metrics(range: $range, groupBy: AGENT) { csvUrl } }"
    bens = MARCH | {"agentIds": [two_teams.ids["Ben"]]}
    url = urlsplit((await two_teams.mia.ask(query, range=bens))["metrics"]["csvUrl"])

    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(role=Role.AGENT))
    fetched = await two_teams.mia.http.get(f"{url.path}?{url.query}")

    assert fetched.status_code == 404
