"""What admins read of who did what."""

from typing import Any

from api.house import House
from tests.client import PASSWORD, SIGN_IN, Client
from tests.two_teams import TwoTeams

AUDIT = """query($kinds: [AuditKind!], $agentId: ID, $contactId: ID, $first: Int! = 50, $after: String) {
  audit(kinds: $kinds, agentId: $agentId, contactId: $contactId, first: $first, after: $after) {
    edges { node { kind actorKind actorId address agentId contactId data } } pageInfo { endCursor hasNextPage } } }"""
CONTACT = "query($id: ID!) { contact(id: $id) { name } }"
TICKET = "query($id: ID!) { ticket(id: $id) { number } }"
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
SIGN_OUT = "mutation($input: SignOutInput!) { signOut(input: $input) { userErrors { code } } }"
UPDATE = "mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) { userErrors { code } } }"
TOKEN = "mutation($input: TokenCreateInput!) { tokenCreate(input: $input) { secret userErrors { code } } }"
MERGE = "mutation($input: ContactMergeInput!) { contactMerge(input: $input) { userErrors { code } } }"
WITHDRAW = (
    "mutation($input: ErasureWithdrawInput!) { erasureWithdraw(input: $input) { userErrors { code } } }"
)
ERASURES = "query($id: ID!) { erasures(contactId: $id) { id state } }"
CHANGE = "mutation($input: PasswordChangeInput!) { passwordChange(input: $input) { userErrors { code } } }"

VIEW = "mutation($input: ViewSaveInput!) { viewSave(input: $input) { view { id } userErrors { code } } }"
HOOK = "mutation($input: WebhookSaveInput!) { webhookSave(input: $input) { webhook { id } userErrors { code } } }"
TAG = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
RENAME = "mutation($input: TagRenameInput!) { tagRename(input: $input) { userErrors { code } } }"


async def entries(admin: Client, **asked: Any) -> list[dict[str, Any]]:
    return [edge["node"] for edge in (await admin.ask(AUDIT, **asked))["audit"]["edges"]]


async def test_who_opened_whose_contact_is_written_down_once(two_teams: TwoTeams) -> None:
    contact, ticket = two_teams.ids["Contact"], two_teams.ids["Ticket"]
    for _ in range(3):
        await two_teams.ben.ask(CONTACT, id=contact)
        await two_teams.ben.ask(TICKET, id=ticket)
    await two_teams.mia.ask(NODES, ids=[ticket])
    await two_teams.eve.ask(CONTACT, id=contact)

    read = await entries(two_teams.admin, contactId=contact)

    assert [(one["kind"], one["actorId"]) for one in read] == [
        ("CONTACT_READ", two_teams.mia.agent_id),
        ("CONTACT_READ", two_teams.ben.agent_id),
    ]
    assert read[0]["address"] == "127.0.0.1"


async def test_who_opened_a_contact_and_asked_to_erase_it_is_found_by_the_one_that_it_became(
    two_teams: TwoTeams,
) -> None:
    contact, became, erasure = (two_teams.ids[name] for name in ("Contact", "Caller", "Erasure"))
    await two_teams.ben.ask(CONTACT, id=contact)
    assert await two_teams.mia.refused(WITHDRAW, id=erasure) == []
    assert await two_teams.mia.refused(MERGE, primaryId=became, otherIds=[contact]) == []

    read = await entries(two_teams.admin, contactId=became, kinds=["CONTACT_READ"])
    erasures = (await two_teams.admin.ask(ERASURES, id=became))["erasures"]

    assert [(one["actorId"], one["contactId"]) for one in read] == [(two_teams.ben.agent_id, contact)]
    assert erasures == [{"id": erasure, "state": "WITHDRAWN"}]


async def test_signing_in_and_failing_to_are_written_down_and_no_secret_is(
    admin: Client, ben: Client
) -> None:
    await ben.refused(SIGN_IN, email="ben@shop.example", password="a wrong guess")
    await ben.refused(SIGN_IN, email="nobody@shop.example", password="a wrong guess")
    await ben.refused(CHANGE, currentPassword=PASSWORD, password="another good password")
    await ben.do(SIGN_OUT)

    told = await entries(admin, agentId=ben.agent_id)

    assert [one["kind"] for one in told] == ["SIGNED_OUT", "PASSWORD_CHANGED", "SIGN_IN_FAILED", "SIGNED_IN"]
    assert told[2]["data"] == {"code": "WRONG_CREDENTIALS"}
    assert len(await entries(admin, kinds=["SIGN_IN_FAILED"])) == 2
    for secret in ("guess", "password", "nobody@", ben.token):
        assert secret not in str(await entries(admin)).replace("PASSWORD_CHANGED", "").lower()


async def test_changed_rights_are_written_down_once_however_often_they_were_sent(
    admin: Client, ben: Client
) -> None:
    sent = {"id": ben.agent_id, "role": "MANAGER", "clientMutationId": "once"}
    await admin.do(UPDATE, **sent)
    await admin.do(UPDATE, **sent)
    secret = (await admin.do(TOKEN, name="Till", scopes=["TICKETS_READ"]))["secret"]

    token, changed = await entries(admin, kinds=["AGENT_CHANGED", "TOKEN_CREATED"])

    assert (changed["actorId"], changed["agentId"], changed["data"]) == (
        admin.agent_id,
        ben.agent_id,
        {"role": "manager"},
    )
    assert token["data"]["name"] == "Till"
    assert secret not in str(token)


async def test_the_audit_comes_in_pages(house: House, admin: Client, ben: Client) -> None:
    for number in range(5):
        await admin.do(TOKEN, name=f"Token {number}", scopes=["TICKETS_READ"])

    names, after = [], None
    while True:
        page = (await admin.ask(AUDIT, kinds=["TOKEN_CREATED"], first=2, after=after))["audit"]
        names += [edge["node"]["data"]["name"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert names == [f"Token {number}" for number in (4, 3, 2, 1, 0)]
    (error,) = await admin.errors(AUDIT, after="nonsense")
    assert error["extensions"]["code"] == "INVALID"


async def test_what_nobody_can_change_holds_no_word_that_may_name_a_customer(two_teams: TwoTeams) -> None:
    """An erasure takes a tag that is one person's alone, and leaves the audit as it is."""
    admin = two_teams.admin
    await admin.do(TAG, ids=[two_teams.ids["Ticket"]], addTags=["ada-canary"])
    await admin.do(VIEW, name="Ada Canary", query="ada@canary.example", shared=True)
    await admin.do(HOOK, url="https://example.org/hook", filter="ada@canary.example")
    await admin.do(RENAME, tag="ada-canary", into="canary")

    told = await entries(admin, kinds=["VIEW_SAVED", "WEBHOOK_SAVED", "TAG_RENAMED"])

    assert [one["kind"] for one in told] == ["TAG_RENAMED", "WEBHOOK_SAVED", "VIEW_SAVED"]
    assert [one["data"].get("url") for one in told] == [None, "https://example.org/hook", None]
    assert "canary" not in str(told).lower()
