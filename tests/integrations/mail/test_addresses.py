import pytest

from domain.keys import Keys
from integrations.mail.addresses import Recipient, recipient, reply_address

KEYS = Keys("k" * 32)


@pytest.mark.parametrize("mailbox", ["help@shop.example", "help+pl@shop.example", "help+t1+pl@shop.example"])
def test_a_mailbox_is_known_with_its_own_plus_and_with_our_tag_behind_it(mailbox: str) -> None:
    tagged = reply_address(KEYS, mailbox, 12)

    assert recipient(KEYS, mailbox.upper()) == Recipient(mailbox, None)
    assert recipient(KEYS, tagged.upper()) == Recipient(mailbox, 12)


@pytest.mark.parametrize("address", ["help+x@shop.example", "help+@shop.example", "+x@shop.example"])
def test_a_plus_that_is_no_tag_of_ours_belongs_to_the_mailbox(address: str) -> None:
    assert recipient(KEYS, address) == Recipient(address, None)


def test_a_tag_that_we_did_not_sign_means_nobody() -> None:
    signed = reply_address(KEYS, "help+pl@shop.example", 12)

    assert recipient(KEYS, signed.replace("+t12", "+t13")) is None
    assert recipient(KEYS, signed.replace("+pl", "")) is None
    assert recipient(KEYS, f"help+t1.{'a' * 26}@shop.example") is None


@pytest.mark.parametrize("address", ["", "help", "@shop.example", "help @shop.example"])
def test_what_is_no_address_means_nobody(address: str) -> None:
    assert recipient(KEYS, address) is None
