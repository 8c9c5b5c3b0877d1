"""What an agent has begun to write."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update

from api.house import House
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.working import drafts
from domain.working.drafts import Draft
from tests.client import Client
from tests.two_teams import TwoTeams

SAVE = "mutation($input: DraftSaveInput!) { draftSave(input: $input) { ok userErrors { code field } } }"
DRAFT = """query($id: ID!) { ticket(id: $id) { seq replyChannels { id channel }
  draft { body channel identityId cc attachmentIds updatedAt } } }"""
SEND = """mutation($input: MessageSendInput!) { messageSend(input: $input) {
  collision { __typename ... on Note { text } } userErrors { code } } }"""
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
MERGE = "mutation($input: TicketMergeInput!) { ticketMerge(input: $input) { userErrors { code } } }"


async def saved(client: Client, **input: object) -> bool:
    """`draftSave` has no clientMutationId."""
    payload = (await client.ask(SAVE, input=input))["draftSave"]
    assert payload["userErrors"] == []
    return bool(payload["ok"])


async def a_file(client: Client) -> str:
    answer = await client.http.post(
        "/files",
        files={"file": ("label.txt", b"Ada", "text/plain")},
        headers={"authorization": f"Bearer {client.token}"},
    )
    return str(answer.json()["id"])


async def body(client: Client, ticket: str) -> str | None:
    draft = (await client.ask(DRAFT, id=ticket))["ticket"]["draft"]
    return draft and str(draft["body"])


async def test_a_late_request_takes_nothing_of_what_was_written_since(two_teams: TwoTeams) -> None:
    ben, ticket = two_teams.ben, two_teams.ids["Ticket"]
    mail = two_teams.ids["Identity"]
    at = [(datetime.now(UTC) - timedelta(seconds=10 - second)).isoformat() for second in range(4)]

    assert await saved(
        ben, ticketId=ticket, identityId=mail, body="Dear Ada, we", cc=["zofia@example.com"], writtenAt=at[2]
    )
    assert not await saved(ben, ticketId=ticket, identityId=mail, body="Dear", writtenAt=at[1])
    assert await saved(
        ben, ticketId=ticket, identityId=mail, body="Dear Ada, we", cc=["zofia@example.com"], writtenAt=at[2]
    )

    found = (await ben.ask(DRAFT, id=ticket))["ticket"]["draft"]
    assert (found["body"], found["channel"], found["cc"]) == ("Dear Ada, we", "EMAIL", ["zofia@example.com"])
    assert found["identityId"] == mail

    assert await saved(ben, ticketId=ticket, body=" ", writtenAt=at[3])
    assert not await saved(ben, ticketId=ticket, identityId=mail, body="Dear Ada, we", writtenAt=at[2])
    assert await body(ben, ticket) is None


async def test_a_draft_keeps_ones_own_files_and_shows_nobody_elses(two_teams: TwoTeams) -> None:
    ben, ticket = two_teams.ben, two_teams.ids["Ticket"]
    mine, eves = [await a_file(one) for one in (ben, two_teams.eve)]
    files = [mine, eves, two_teams.ids["Attachment"]]

    assert await saved(ben, ticketId=ticket, body="Dear Ada", attachmentIds=files)

    found = (await ben.ask(DRAFT, id=ticket))["ticket"]["draft"]
    assert found["attachmentIds"] == [mine]


async def test_a_clock_that_is_ahead_does_not_shut_out_the_other_device(two_teams: TwoTeams) -> None:
    ben, ticket = two_teams.ben, two_teams.ids["Ticket"]

    await saved(
        ben, ticketId=ticket, body="By phone", writtenAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat()
    )
    await saved(ben, ticketId=ticket, body="By laptop")

    assert await body(ben, ticket) == "By laptop"


async def test_it_survives_a_refusal_and_is_gone_when_the_answer_is_sent(
    house: House, two_teams: TwoTeams
) -> None:
    ben, ticket, mail = two_teams.ben, two_teams.ids["Ticket"], two_teams.ids["Identity"]
    begun = datetime.now(UTC).isoformat()
    await saved(ben, ticketId=ticket, identityId=mail, body="A new one is on its way.", writtenAt=begun)
    seen = (await ben.ask(DRAFT, id=ticket))["ticket"]["seq"]
    await two_teams.mia.do(NOTE, ticketId=ticket, text="She called again.")
    answer = {"ticketId": ticket, "identityId": mail, "text": "A new one is on its way.", "lastSeenSeq": seen}

    stopped = await ben.do(SEND, **answer)
    assert [error["code"] for error in stopped["userErrors"]] == ["SOMEBODY_ANSWERED"]
    assert stopped["collision"] == [{"__typename": "Note", "text": "She called again."}]
    assert await body(ben, ticket) == "A new one is on its way."

    assert (await ben.do(SEND, **answer, force=True))["userErrors"] == []
    assert not await saved(ben, ticketId=ticket, identityId=mail, body="A new one is on its", writtenAt=begun)
    assert await body(ben, ticket) is None
    async with house.db.transaction() as session:
        await session.execute(update(Draft).values(written_at=Draft.written_at - timedelta(days=2)))
        await drafts.forget_empty(session, at=datetime.now(UTC))
        assert await session.scalar(select(func.count()).select_from(Draft)) == 0


async def test_a_notes_draft_is_gone_when_the_note_is_kept_and_an_answers_stays(two_teams: TwoTeams) -> None:
    ben, ticket, mail = two_teams.ben, two_teams.ids["Ticket"], two_teams.ids["Identity"]
    await saved(ben, ticketId=ticket, body="She was here befo")

    await ben.do(NOTE, ticketId=ticket, text="She was here before.")

    assert await body(ben, ticket) is None
    await saved(ben, ticketId=ticket, identityId=mail, body="Dear Ada,")
    await ben.do(NOTE, ticketId=ticket, text="She was here twice.")
    assert await body(ben, ticket) == "Dear Ada,"


async def test_what_was_sent_before_its_draft_came_is_no_draft(two_teams: TwoTeams) -> None:
    """A phone in a lift: its first request is lost, the answer leaves, and then it is sent again."""
    mia, ticket, mail = two_teams.mia, two_teams.ids["Ticket"], two_teams.ids["Identity"]
    typed = datetime.now(UTC).isoformat()
    answer = {"ticketId": ticket, "identityId": mail}
    sent = await mia.do(SEND, **answer, text="You get 40 € back.", lastSeenSeq=0, force=True)
    assert sent["userErrors"] == []

    assert not await saved(mia, **answer, body="You get 40 € back.", writtenAt=typed)
    assert await body(mia, ticket) is None
    assert await saved(mia, **answer, body="It is on its way.")
    assert await body(mia, ticket) == "It is on its way."


async def test_nobody_else_sees_it_and_it_is_for_the_tickets_own_customer(two_teams: TwoTeams) -> None:
    ben, ticket = two_teams.ben, two_teams.ids["Ticket"]
    caller = await two_teams.mia.ask(DRAFT, id=two_teams.ids["CallTicket"])
    theirs = caller["ticket"]["replyChannels"][0]["id"]
    await saved(ben, ticketId=ticket, body="Between us")

    assert await body(two_teams.mia, ticket) is None
    for client, identity, field in (
        (two_teams.eve, two_teams.ids["Identity"], "id"),
        (ben, theirs, "identityId"),
    ):
        refused = await client.ask(SAVE, input={"ticketId": ticket, "identityId": identity, "body": "x"})
        (error,) = refused["draftSave"]["userErrors"]
        assert error["code"] == "NOT_FOUND"
        assert (error["field"] or ["id"]) == [field]
    assert await body(ben, ticket) == "Between us"


async def test_after_a_merge_the_newest_of_ones_drafts_is_on_the_survivor(
    house: House, two_teams: TwoTeams
) -> None:
    ben, mia, ids = two_teams.ben, two_teams.mia, two_teams.ids
    async with house.db.transaction() as session:
        one = await session.get_one(Ticket, row_id("Ticket", ids["Ticket"]))
        other = await session.get_one(Ticket, row_id("Ticket", ids["CallTicket"]))
        other.contact_id = one.contact_id
    await saved(ben, ticketId=ids["Ticket"], body="Older")
    await saved(ben, ticketId=ids["CallTicket"], body="Newer")

    merged = await mia.do(MERGE, primaryId=ids["Ticket"], otherIds=[public_id("Ticket", other.id)])

    assert merged["userErrors"] == []
    assert await body(ben, ids["Ticket"]) == "Newer"
    await saved(ben, ticketId=ids["CallTicket"], body="Of both")
    assert await body(ben, ids["Ticket"]) == "Of both"
    await saved(ben, ticketId=ids["Ticket"], body="")
    assert await body(ben, ids["Ticket"]) is None, "none of those before it comes back"
