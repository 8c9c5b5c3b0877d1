from tests.client import PASSWORD, SIGN_IN, Client

VIEWER = "{ viewer { role agent { name initials } } }"
SIGN_OUT = "mutation($input: SignOutInput!) { signOut(input: $input) { ok userErrors { code } } }"


async def test_a_token_opens_the_door_until_its_holder_signs_out(ben: Client) -> None:
    assert (await ben.ask(VIEWER))["viewer"] == {"role": "AGENT", "agent": {"name": "Ben", "initials": "B"}}

    await ben.do(SIGN_OUT)

    assert [error["extensions"]["code"] for error in await ben.errors(VIEWER)] == ["UNAUTHENTICATED"]


async def test_without_a_token_nothing_is_told(anybody: Client) -> None:
    for query in (VIEWER, "{ tickets { totalCount } }", "{ changeCursor }", "{ alerts { id } }"):
        (error,) = await anybody.errors(query)
        assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_wrong_password_and_an_unknown_address_are_the_same_answer(
    ben: Client, anybody: Client
) -> None:
    wrong = await anybody.do(SIGN_IN, email="ben@shop.example", password="not his")
    unknown = await anybody.do(SIGN_IN, email="eve@shop.example", password=PASSWORD)

    assert wrong["userErrors"] == unknown["userErrors"]
    assert wrong["accessToken"] is None


async def test_signing_out_everywhere_ends_every_session(ben: Client) -> None:
    second = await ben.do(SIGN_IN, email="BEN@shop.example", password=PASSWORD)

    await ben.do(SIGN_OUT, everywhere=True)

    ben.token = second["accessToken"]
    assert await ben.errors(VIEWER)


async def test_refusals_speak_the_callers_language(anybody: Client) -> None:
    variables = {"input": {"email": "x", "password": "y", "clientMutationId": "1"}}
    answer = await anybody.post(SIGN_IN, variables, **{"accept-language": "pl-PL,pl;q=0.9"})

    (error,) = answer.json()["data"]["signIn"]["userErrors"]
    assert error["code"] == "WRONG_CREDENTIALS"
    assert "hasło" in error["message"]
