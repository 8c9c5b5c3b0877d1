"""The secret key that Heddle makes up for itself."""

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.keys import open_keys
from domain.settings import DomainSettings, WrongSetting

pytestmark = pytest.mark.usefixtures("no_settings")


def test_a_key_for_which_there_is_no_room_leaves_no_empty_one(tmp_path: Path) -> None:
    settings = DomainSettings(data=tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(WrongSetting, match=f"cannot be kept in {tmp_path}/secret_key: File too large"):
            open_keys(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert list(tmp_path.iterdir()) == []
    assert open_keys(settings).sign("x") == open_keys(settings).sign("x")
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_all_who_start_at_once_have_one_key(tmp_path: Path) -> None:
    def sign(_: int) -> str:
        return open_keys(DomainSettings(data=tmp_path)).sign("x")

    with ThreadPoolExecutor(16) as starting:
        signed = set(starting.map(sign, range(64)))

    assert len(signed) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


def test_an_empty_key_file_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()

    with pytest.raises(WrongSetting, match=f"{tmp_path}/secret_key is empty"):
        open_keys(DomainSettings(data=tmp_path))
