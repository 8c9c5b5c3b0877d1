"""Of how many text messages an answer is made, while it is being written."""

import strawberry

from domain.answering.segments import SmsEncoding, segments_of


@strawberry.type(
    description="What a text costs as text messages: each segment is paid for. `messageSend` counts the same."
)
class SmsSegments:
    encoding: SmsEncoding
    segments: int
    characters_left: int = strawberry.field(
        description="Before another segment begins: letters of GSM-7, of which those such as `€` or `[` count twice; or halves "
        "of UTF-16, of which an emoji takes two."
    )
    reason: str | None = strawberry.field(
        description="Of `UCS_2`: the first letter that is none of GSM-7, such as `ą` or `ó`. Without it the text would be cheaper."
    )


def segments_in(text: str) -> SmsSegments:
    found = segments_of(text)
    return SmsSegments(
        encoding=found.encoding,
        segments=found.count,
        characters_left=found.left,
        reason=found.because_of or None,
    )


@strawberry.type
class TextingQueries:
    sms_segments: SmsSegments = strawberry.field(resolver=segments_in)
