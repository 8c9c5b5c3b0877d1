"""Of how many text messages a text is made."""

import pytest

from domain.answering.segments import SmsEncoding, segments_of

GSM, UCS = SmsEncoding.GSM_7, SmsEncoding.UCS_2


@pytest.mark.parametrize(
    ("text", "encoding", "count", "left", "because_of"),
    [
        ("", GSM, 0, 160, ""),
        ("a" * 160, GSM, 1, 0, ""),
        ("a" * 161, GSM, 2, 145, ""),
        ("a" * 306, GSM, 2, 0, ""),
        ("a" * 307, GSM, 3, 152, ""),
        ("è ñ Ü ¿ @ £ Ω\n", GSM, 1, 146, ""),
        ("€" * 80, GSM, 1, 0, ""),
        ("€" * 81, GSM, 2, 143, ""),  # 76 in the first: the 77th would be divided
        ("a" * 152 + "€" + "a" * 10, GSM, 2, 141, ""),
        ("ó" * 70, UCS, 1, 0, "ó"),
        ("ó" * 71, UCS, 2, 63, "ó"),
        ("a" * 69 + "ł", UCS, 1, 0, "ł"),
        ("ç", UCS, 1, 69, "ç"),  # only the capital is GSM
        ("🧶" * 35, UCS, 1, 0, "🧶"),
        ("🧶" * 36, UCS, 2, 61, "🧶"),  # 33 in the first: a pair is not divided
        ("é`", UCS, 1, 68, "`"),
    ],
)
def test_segments(text: str, encoding: SmsEncoding, count: int, left: int, because_of: str) -> None:
    found = segments_of(text)

    assert (found.encoding, found.count, found.left, found.because_of) == (encoding, count, left, because_of)
