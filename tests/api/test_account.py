"""Passwords, links by mail, and the second factor."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import text, update

from api.house import House
from demo.farends import SmtpSink
from domain.agents.invitations import PasswordLink
from domain.agents.second_factor import SecondFactor
from domain.agents.staff import save_team
from domain.agents.system_mail import SYSTEM_MAIL
from domain.agents.tries import FREE, Guessed
from domain.db import database_time
from domain.ids import public_id, row_id
from integrations.mail.sending.system import SystemPost
from integrations.settings import IntegrationSettings
from tests.browser import LOSE_THE_NEXT_ANSWER, browsing, in_a_browser
from tests.client import PASSWORD, SIGN_IN, Client
from tests.factories import an_agent

LEFT = "{ agents(left: true) { id name email presence onShift load { open } } }"
WHERE = "{ viewer { agent { locale timezone } } }"
FIND = "query($search: String, $team: ID) { agents(search: $search, teamId: $team) { name } }"
MEMBERS = "{ teams { members { name } } }"
STAFF = "{ agents { name email } }"
VIEWER = "{ viewer { hasSecondFactor email agent { name } } }"
CHANGE = "mutation($input: PasswordChangeInput!) { passwordChange(input: $input) { ok userErrors { code field } } }"
RESET = "mutation($input: PasswordResetRequestInput!) { passwordResetRequest(input: $input) { ok userErrors { code } } }"
SET = "mutation($input: PasswordSetInput!) { passwordSet(input: $input) { ok userErrors { code field } } }"
INVITE = """mutation($input: AgentInviteInput!) {
  agentInvite(input: $input) { agent { id name role } userErrors { code field } }
}"""
BEGIN = "mutation($input: SecondFactorBeginInput!) { secondFactorBegin(input: $input) { secret uri userErrors { code } } }"
CONFIRM = """mutation($input: SecondFactorCodeInput!) {
  secondFactorConfirm(input: $input) { recoveryCodes userErrors { code } }
}"""
UPDATE = "mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) { userErrors { code field } } }"
REFRESH = "mutation($input: SessionRefreshInput!) { sessionRefresh(input: $input) { accessToken userErrors { code } } }"
REMOVE = "mutation($input: SecondFactorCodeInput!) { secondFactorRemove(input: $input) { ok userErrors { code } } }"
TAKE_OFF = "mutation($input: SecondFactorTakeOffInput!) { secondFactorTakeOff(input: $input) { ok userErrors { code } } }"
SPEAK = """mutation($input: ViewerUpdateInput!) {
  viewerUpdate(input: $input) { agent { locale timezone } userErrors { code field message } }
}"""
AUDIT = "query($id: ID!) { audit(agentId: $id, first: 1) { edges { node { kind actorId agentId } } } }"

NEW = "an entirely new one"


class Letterbox:
    """What Heddle's own mail says, once the post has sent it by a real relay."""

    def __init__(self, house: House, sink: SmtpSink) -> None:
        self._house, self._sink = house, sink
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        self._post = SystemPost(house.db, house.keys, settings)

    async def empty(self) -> list[tuple[str, str, str]]:
        """Recipient, subject and text of each new mail."""
        begun = len(self._sink.mails)
        async with self._house.db.transaction() as session:
            claimed = await SYSTEM_MAIL.claim(session, 10)
        for mail, lease in claimed:
            await self._post.send(mail, lease)
        return [
            (sent.recipients[0], sent.message["Subject"], sent.message.get_content())
            for sent in self._sink.mails[begun:]
        ]


@pytest.fixture
async def letterbox(house: House) -> AsyncIterator[Letterbox]:
    async with SmtpSink() as sink:
        yield Letterbox(house, sink)


def _token(text: str) -> str:
    (token,) = re.findall(r"http://heddle\.test/auth/password#(\S+)", text)
    return str(token)


async def test_who_left_the_shop_is_found_there_and_comes_back(
    admin: Client, mia: Client, ben: Client, anybody: Client
) -> None:
    assert await admin.refused(UPDATE, id=ben.agent_id, left=True) == []
    again = await admin.do(INVITE, email="ben@shop.example", name="Ben")
    assert [error["field"] for error in again["userErrors"]] == [["email"]]

    (gone,) = (await mia.ask(LEFT))["agents"]

    assert gone == {
        "id": ben.agent_id,
        "name": "Ben",
        "email": "ben@shop.example",
        "presence": "OFFLINE",
        "onShift": False,
        "load": {"open": 0},
    }
    assert await admin.refused(UPDATE, id=gone["id"], left=False) == []
    assert await anybody.refused(SIGN_IN, email=gone["email"], password=PASSWORD) == []
    assert (await admin.ask(LEFT))["agents"] == []


async def test_a_colleagues_address_is_put_right_and_what_went_to_the_wrong_one_opens_nothing(
    admin: Client, anybody: Client, letterbox: Letterbox
) -> None:
    invited = await admin.do(INVITE, email="bo@shop.exmple", name="Bo")
    bo = invited["agent"]["id"]
    ((_, _, lost),) = await letterbox.empty()

    assert await admin.refused(UPDATE, id=bo, email="bo@shop.example") == []

    ((to, _, text),) = await letterbox.empty()
    assert to == "bo@shop.example"
    assert await anybody.refused(SET, token=_token(lost), password=NEW) != []
    assert await anybody.refused(SET, token=_token(text), password=NEW) == []
    assert await anybody.refused(SIGN_IN, email="bo@shop.exmple", password=NEW) != []
    assert await anybody.refused(SIGN_IN, email="bo@shop.example", password=NEW) == []


async def test_an_address_of_a_colleague_who_is_there_changes_without_a_mail_and_is_nobody_elses(
    admin: Client, ben: Client, anybody: Client, letterbox: Letterbox
) -> None:
    await admin.do(INVITE, email="mia@shop.example", name="Mia")
    await letterbox.empty()
    await anybody.do(RESET, email="ben@shop.example")
    ((_, _, asked),) = await letterbox.empty()

    taken = await admin.do(UPDATE, id=ben.agent_id, email="MIA@shop.example")
    wrong = await admin.do(UPDATE, id=ben.agent_id, email="ben")
    same = await admin.refused(UPDATE, id=ben.agent_id, email="Ben@shop.example")
    assert [payload["userErrors"][0]["field"] for payload in (taken, wrong)] == [["email"]] * 2
    assert same == []
    assert await admin.refused(UPDATE, id=ben.agent_id, email="benn@shop.example") == []

    assert await letterbox.empty() == []
    assert await anybody.refused(SET, token=_token(asked), password=NEW) != []
    assert (await ben.ask(VIEWER))["viewer"]["email"] == "benn@shop.example"
    assert await anybody.refused(SIGN_IN, email="benn@shop.example", password=PASSWORD) == []


async def test_who_manages_sees_by_which_address_each_colleague_signs_in(
    admin: Client, mia: Client, ben: Client
) -> None:
    staff = (await mia.ask(STAFF))["agents"]

    assert [(one["name"], one["email"]) for one in staff] == [
        ("Admin", "admin@shop.example"),
        ("Ben", "ben@shop.example"),
        ("Mia", "mia@shop.example"),
    ]
    assert [error["extensions"]["code"] for error in await ben.errors(STAFF)] == ["NOT_ALLOWED"]


async def test_a_colleague_behind_a_hundred_others_is_found_by_a_piece_of_the_name_or_address(
    house: House, mia: Client, ben: Client
) -> None:
    async with house.db.transaction() as session:
        returns = await save_team(session, None, "Returns")
        for name in (*(f"Ben{number}" for number in range(100)), "Bo"):
            await an_agent(session, name, team=returns)
    team = public_id("Team", returns.id)
    (shown,) = (await ben.ask(MEMBERS))["teams"]
    assert "Bo" not in [one["name"] for one in shown["members"]]

    for asks, search in ((ben, " bO "), (mia, "Bo@"), (mia, "shop.example bo")):
        assert (await asks.ask(FIND, search=search, team=team))["agents"] == [{"name": "Bo"}]

    assert (await ben.ask(FIND, search="bo@"))["agents"] == [], "an address is for who manages"
    assert (await mia.ask(FIND, search="%"))["agents"] == []


async def test_everybody_chooses_in_which_language_and_zone_they_are_spoken_to(ben: Client) -> None:
    chosen = await ben.do(SPEAK, locale="pl", timezone="Europe/Warsaw")

    assert chosen == {"agent": {"locale": "pl", "timezone": "Europe/Warsaw"}, "userErrors": []}
    refused = await ben.do(SPEAK, timezone="Mars/Phobos")
    assert refused["userErrors"] == [
        {"code": "INVALID", "field": ["timezone"], "message": "Nie ma takiej strefy czasowej."}
    ]
    only_there = await ben.do(SPEAK, timezone="Europe/Madrid")
    assert only_there["agent"] == {"locale": "pl", "timezone": "Europe/Madrid"}


async def test_who_was_invited_in_the_wrong_language_is_put_right(admin: Client, ben: Client) -> None:
    assert await admin.refused(UPDATE, id=ben.agent_id, timezone="Mars/Phobos") == ["INVALID"]
    assert await admin.refused(UPDATE, id=ben.agent_id, locale="ca", timezone="Europe/Andorra") == []

    assert (await ben.ask(WHERE))["viewer"]["agent"] == {"locale": "ca", "timezone": "Europe/Andorra"}


async def test_nobody_is_invited_into_a_time_zone_that_there_is_not(admin: Client) -> None:
    refused = await admin.do(INVITE, email="zofia@shop.example", name="Zofia", timezone="Mars/Phobos")

    assert refused["userErrors"] == [{"code": "INVALID", "field": ["timezone"]}]


async def test_changing_the_password_ends_all_other_sessions(ben: Client, anybody: Client) -> None:
    other = await anybody.do(SIGN_IN, email="ben@shop.example", password=PASSWORD)

    assert await ben.refused(CHANGE, currentPassword="not it", password=NEW) == ["WRONG_CREDENTIALS"]
    assert await ben.refused(CHANGE, currentPassword=PASSWORD, password="short") == ["INVALID"]
    assert await ben.refused(CHANGE, currentPassword=PASSWORD, password=NEW) == []

    assert await ben.ask(VIEWER)
    anybody.token = other["accessToken"]
    assert await anybody.errors(VIEWER)
    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD) == [
        "WRONG_CREDENTIALS"
    ]
    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=NEW) == []


async def test_a_forgotten_password_is_set_anew_by_a_link_that_works_once(
    ben: Client, anybody: Client, letterbox: Letterbox
) -> None:
    assert await anybody.refused(RESET, email="BEN@shop.example") == []
    ((to, subject, mail),) = await letterbox.empty()
    assert (to, subject) == ("ben@shop.example", "A new password")

    assert await anybody.refused(SET, token=_token(mail), password="short") == ["INVALID"]
    assert await anybody.refused(SET, token=_token(mail), password=NEW) == []

    assert await ben.errors(VIEWER), "whoever knew the old password is out"
    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=NEW) == []
    assert await anybody.refused(SET, token=_token(mail), password="once more, please") == ["LINK_USED_UP"]


async def test_asking_for_a_reset_does_not_tell_who_works_here(
    ben: Client, anybody: Client, letterbox: Letterbox
) -> None:
    known = await anybody.do(RESET, email="ben@shop.example")
    unknown = await anybody.do(RESET, email="zofia@example.org")

    assert known == unknown == {"ok": True, "userErrors": []}
    assert len(await letterbox.empty()) == 1


async def test_a_newer_link_and_time_end_an_older_one(
    house: House, ben: Client, anybody: Client, letterbox: Letterbox
) -> None:
    await anybody.do(RESET, email="ben@shop.example")
    await anybody.do(RESET, email="ben@shop.example")
    (_, _, older), (_, _, newer) = await letterbox.empty()
    assert await anybody.refused(SET, token=_token(older), password=NEW) == ["LINK_USED_UP"]

    async with house.db.transaction() as session:
        await session.execute(update(PasswordLink).values(expires_at=await database_time(session)))

    assert await anybody.refused(SET, token=_token(newer), password=NEW) == ["LINK_USED_UP"]


async def test_a_mailbox_may_be_flooded_with_resets_no_more_than_passwords_guessed(
    ben: Client, anybody: Client, letterbox: Letterbox
) -> None:
    codes = [await anybody.refused(RESET, email=f"{' ' * spaces}ben@shop.example") for spaces in range(12)]

    assert codes[-1] == ["TOO_MANY_TRIES"]


async def test_a_whole_network_of_ipv6_counts_as_one_address(anybody: Client) -> None:
    async def codes(addresses: list[str]) -> list[str]:
        refused = []
        for number, address in enumerate(addresses):
            input = {"email": f"{number}@example.org", "clientMutationId": address}
            answer = await anybody.post(RESET, {"input": input}, **{"x-forwarded-for": address})
            refused += answer.json()["data"]["passwordResetRequest"]["userErrors"]
        return [error["code"] for error in refused]

    neighbours = [f"2001:db8:0:1::{number:x}" for number in range(FREE[Guessed.ADDRESS] + 1)]

    assert await codes(neighbours) == ["TOO_MANY_TRIES"]
    assert await codes(["2001:db8:0:2::1", "192.0.2.1"]) == []


async def test_who_is_invited_chooses_a_password_in_their_language(
    admin: Client, anybody: Client, letterbox: Letterbox
) -> None:
    invited = await admin.do(INVITE, email="bo@shop.example", name="Bo", role="AGENT", locale="pl")
    assert invited["agent"]["name"] == "Bo"
    assert await anybody.refused(SIGN_IN, email="bo@shop.example", password="") == ["WRONG_CREDENTIALS"]

    ((to, subject, mail),) = await letterbox.empty()
    assert (to, subject) == ("bo@shop.example", "Twoje miejsce w helpdesku")
    assert await anybody.refused(SET, token=_token(mail), password=NEW) == []

    assert await anybody.refused(SIGN_IN, email="bo@shop.example", password=NEW) == []


async def test_who_left_and_comes_back_signs_in_anew(
    house: House, admin: Client, ben: Client, anybody: Client, letterbox: Letterbox
) -> None:
    phone = await anybody.ask(
        SIGN_IN.replace("accessToken", "accessToken refreshToken"),
        input={"email": "ben@shop.example", "password": PASSWORD, "clientMutationId": "1"},
    )
    await anybody.refused(RESET, email="ben@shop.example")
    ((_, _, mail),) = await letterbox.empty()

    assert await admin.refused(UPDATE, id=ben.agent_id, left=True) == []
    assert await admin.refused(UPDATE, id=ben.agent_id, left=False) == []

    assert (await ben.errors(VIEWER))[0]["extensions"]["code"] == "UNAUTHENTICATED"
    (error,) = await anybody.errors(
        REFRESH, input={"refreshToken": phone["signIn"]["refreshToken"], "clientMutationId": "2"}
    )
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert await anybody.refused(SET, token=_token(mail), password=NEW) == ["LINK_USED_UP"]
    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD) == []


async def test_what_was_mailed_cannot_be_read_in_the_database(
    house: House, ben: Client, anybody: Client, letterbox: Letterbox
) -> None:
    await anybody.do(RESET, email="ben@shop.example")
    async with house.db.transaction() as session:
        waiting = str((await session.execute(text("SELECT * FROM system_mail"))).all())
    assert "ben@shop.example" not in waiting

    await letterbox.empty()

    async with house.db.transaction() as session:
        assert (await session.execute(text("SELECT sealed FROM system_mail"))).scalar_one() is None


async def test_the_page_behind_the_link_speaks_the_readers_language(anybody: Client) -> None:
    answer = await anybody.http.get("/auth/password", headers={"accept-language": "ca;q=0.9, en"})

    assert "Tria una contrasenya" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert (await anybody.http.get("/auth/password.js")).status_code == 200


@in_a_browser
async def test_a_password_whose_answer_was_lost_is_saved_once_when_it_is_sent_again(
    ben: Client, anybody: Client, letterbox: Letterbox, browser: str
) -> None:
    await anybody.do(RESET, email="ben@shop.example")
    ((_, _, mail),) = await letterbox.empty()
    async with browsing(browser) as page:
        await page.go(f"{ben.address}/auth/password#{_token(mail)}")
        await page.write("#password", "short")
        await page.value("void document.querySelector('#password').removeAttribute('minlength')")
        await page.tap("button")
        await page.until(f"{SAID}.startsWith('A password needs')")
        await page.write("#password", NEW)
        await page.value(LOSE_THE_NEXT_ANSWER)
        await page.tap("button")
        await page.until(f"{SAID}.startsWith('That did not work')")
        await page.value("void (window.fetch = window.whole)")

        await page.tap("button")

        await page.until(f"{SAID}.startsWith('The password is saved.')")
        assert await page.value("document.activeElement.innerText") == "Sign in"
        await page.tap("#go-on")
        await page.until("document.querySelector('#email')?.checkVisibility()")
    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=NEW) == []


SAID = "document.querySelector('[role=status]').textContent"


async def _with_second_factor(client: Client) -> tuple[pyotp.TOTP, list[str]]:
    begun = await client.do(BEGIN)
    totp = pyotp.TOTP(begun["secret"])
    assert begun["uri"].startswith("otpauth://totp/")
    confirmed = await client.do(CONFIRM, code=totp.now())
    return totp, confirmed["recoveryCodes"]


async def test_a_second_factor_is_asked_for_once_it_is_confirmed(ben: Client, anybody: Client) -> None:
    begun = await ben.do(BEGIN)
    assert await ben.refused(CONFIRM, code="000000") == ["WRONG_CODE"]
    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD) == []
    await ben.do(CONFIRM, code=pyotp.TOTP(begun["secret"]).now())

    assert (await ben.ask(VIEWER))["viewer"]["hasSecondFactor"]
    asked = {"email": "ben@shop.example", "password": PASSWORD}
    assert await anybody.refused(SIGN_IN, **asked) == ["CODE_NEEDED"]
    assert await anybody.refused(SIGN_IN, **asked, totp="000000") == ["WRONG_CODE"]
    wrong_password = await anybody.refused(
        SIGN_IN, email="ben@shop.example", password="a guess", totp="000000"
    )
    assert wrong_password == ["WRONG_CREDENTIALS"]


async def test_a_code_opens_once(house: House, ben: Client, anybody: Client) -> None:
    totp, _ = await _with_second_factor(ben)
    async with house.db.transaction() as session:
        at = await database_time(session)
        await session.execute(update(SecondFactor).values(last_step=0))
    asked = {"email": "ben@shop.example", "password": PASSWORD, "totp": totp.at(at)}

    assert await anybody.refused(SIGN_IN, **asked) == []
    assert await anybody.refused(SIGN_IN, **asked) == ["WRONG_CODE"]


@pytest.mark.parametrize(("late", "opens"), [(-1, True), (1, True), (-3, False), (3, False)])
async def test_a_clock_may_be_half_a_minute_off(
    house: House, ben: Client, anybody: Client, late: int, opens: bool
) -> None:
    totp, _ = await _with_second_factor(ben)
    async with house.db.transaction() as session:
        at = await database_time(session)
        await session.execute(update(SecondFactor).values(last_step=0))

    code = totp.at(at + timedelta(seconds=30 * late))
    codes = await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD, totp=code)

    assert codes == ([] if opens else ["WRONG_CODE"])


async def test_a_recovery_code_stands_in_once(ben: Client, anybody: Client) -> None:
    _, (first, *others) = await _with_second_factor(ben)
    asked = {"email": "ben@shop.example", "password": PASSWORD, "totp": first.upper()}

    assert await anybody.refused(SIGN_IN, **asked) == []
    assert await anybody.refused(SIGN_IN, **asked) == ["WRONG_CODE"]
    assert len(others) == 9


async def test_only_a_code_takes_the_second_factor_away(ben: Client, anybody: Client) -> None:
    _, (first, *_) = await _with_second_factor(ben)

    assert [error for error in (await ben.do(BEGIN))["userErrors"]]
    assert await ben.refused(REMOVE, code="123456") == ["WRONG_CODE"]
    assert await ben.refused(REMOVE, code=first) == []

    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD) == []


async def test_who_lost_the_authenticator_and_the_codes_gets_in_again_by_an_admins_word(
    admin: Client, ben: Client, anybody: Client
) -> None:
    await _with_second_factor(ben)
    asked = {"email": "ben@shop.example", "password": PASSWORD}
    assert await anybody.refused(SIGN_IN, **asked) == ["CODE_NEEDED"]

    assert await admin.refused(TAKE_OFF, agentId=ben.agent_id) == []

    assert await ben.errors(VIEWER), "whoever found the telephone is out"
    assert await anybody.refused(SIGN_IN, **asked) == []
    (noted,) = (await admin.ask(AUDIT, id=admin.agent_id))["audit"]["edges"]
    assert noted["node"] == {
        "kind": "SECOND_FACTOR_REMOVED",
        "actorId": admin.agent_id,
        "agentId": ben.agent_id,
    }


async def test_nobody_takes_off_their_own_second_factor_without_a_code(
    admin: Client, anybody: Client
) -> None:
    await _with_second_factor(admin)

    assert await admin.refused(TAKE_OFF, agentId=admin.agent_id) == ["INVALID"]

    asked = {"email": "admin@shop.example", "password": PASSWORD}
    assert await anybody.refused(SIGN_IN, **asked) == ["CODE_NEEDED"]


async def test_codes_are_not_guessed_by_a_signed_in_thief(ben: Client) -> None:
    await _with_second_factor(ben)

    codes = [await ben.refused(REMOVE, code=f"{number:06}") for number in range(12)]

    assert codes[-1] == ["TOO_MANY_TRIES"]


async def test_strangers_who_sign_in_under_odd_names_use_up_nobodys_tries_at_codes_or_resets(
    ben: Client, anybody: Client
) -> None:
    totp, _ = await _with_second_factor(ben)
    id = (await ben.ask("{ viewer { agent { id } } }"))["viewer"]["agent"]["id"]
    for name in (f"code {row_id('Agent', id)}", "reset ben@shop.example"):
        for _ in range(FREE[Guessed.ACCOUNT] + 1):
            await anybody.refused(SIGN_IN, email=name, password="a guess")

    assert await anybody.refused(RESET, email="ben@shop.example") == []
    wrong = "000000" if totp.now() != "000000" else "000001"
    assert await ben.refused(REMOVE, code=wrong) == ["WRONG_CODE"]
