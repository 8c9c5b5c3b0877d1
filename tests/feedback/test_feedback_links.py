"""Nobody but the holder of a link gets in by it."""

import random
import string

from domain.db import new_id
from domain.feedback.links import request_of, token_of
from domain.keys import Keys

LETTERS = string.ascii_letters + string.digits + "-_./=%\N{LATIN SMALL LETTER A WITH OGONEK}\x00"


def test_no_forged_token_is_taken(keys: Keys) -> None:
    id, dice = new_id(), random.Random(8)
    token = token_of(keys, id)
    forged = {token.upper(), token + "a", "a" + token, token[:-1], token[26:], token[:26], ""}
    while len(forged) < 100:
        place = dice.randrange(len(token))
        forged.add(token[:place] + dice.choice(LETTERS) + token[place + 1 :])
    forged -= {token}
    forged.add(token_of(Keys("another secret for tests that is long enough"), id))
    forged.add(token[:26] + token_of(keys, new_id())[26:])

    assert request_of(keys, token) == id
    assert [one for one in forged if request_of(keys, one)] == []


def test_a_token_outlives_a_change_of_keys(keys: Keys) -> None:
    id = new_id()
    token = token_of(keys, id)

    rotated = Keys("a new secret for tests that is long enough,a secret for tests that is long enough")

    assert request_of(rotated, token) == id
