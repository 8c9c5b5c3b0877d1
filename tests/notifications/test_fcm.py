"""What each answer of FCM means, through the real library."""

import json
from pathlib import Path

import pytest

from demo.farends import FcmStandIn
from demo.farends.fcm import Fault
from domain.settings import WrongSetting
from notifications.fcm import Fcm, read_credentials
from notifications.push import Accepted, Failed, Push
from notifications.settings import NotificationSettings
from notifications.wording import Words

PUSH = Push("phone", Words("Ticket 7: first reply overdue", "Email"), {"v": "1", "a": "alert", "t": "ticket"})


async def sent(*faults: Fault) -> Accepted | Failed:
    async with FcmStandIn() as stand_in:
        for fault in faults:
            stand_in.misbehave(fault)
        credentials = json.dumps(stand_in.credentials)
        fcm = Fcm(NotificationSettings(fcm_url=stand_in.url, fcm_credentials=credentials))
        try:
            return await fcm.send(PUSH)
        finally:
            await fcm.close()


async def test_an_accepted_push_has_the_providers_id() -> None:
    answer = await sent()

    assert isinstance(answer, Accepted)
    assert answer.provider_id.startswith("projects/heddle-demo/messages/")


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        ("unregistered", Failed("UNREGISTERED", again=False, device_gone=True)),
        ("wrong_sender", Failed("SENDER_ID_MISMATCH", again=False, device_gone=True)),
        ("no_project", Failed("NOT_FOUND", again=False)),
        ("invalid", Failed("INVALID_ARGUMENT", again=False)),
        ("forbidden", Failed("PERMISSION_DENIED", again=False)),
        ("quota", Failed("RESOURCE_EXHAUSTED", again=True, after=1.0)),
        ("quota_silent", Failed("RESOURCE_EXHAUSTED", again=True)),
    ],
)
async def test_a_refusal_says_whether_to_try_again_and_whether_the_device_is_gone(
    fault: Fault, meaning: Failed
) -> None:
    assert await sent(fault) == meaning


async def test_without_credentials_a_push_is_known_not_to_have_been_sent() -> None:
    assert await Fcm(NotificationSettings(fcm_credentials=None)).send(PUSH) == Failed(
        "NOT_CONFIGURED", again=False
    )


def test_wrong_credentials_are_one_sentence_that_names_the_variable(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"type": "authorized_user"}')
    for given in (str(tmp_path / "nothing.json"), "{not json", str(other), "{}"):
        with pytest.raises(WrongSetting, match=r"^HEDDLE_FCM_CREDENTIALS is wrong: .*[.]$"):
            read_credentials(NotificationSettings(fcm_credentials=given))
