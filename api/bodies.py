"""Bodies of requests, as they come."""

from starlette.types import Message, Receive


def at_most(most: int, receive: Receive, refusal: Exception) -> Receive:
    """Refuses a body that grows larger while it comes."""
    came = 0

    async def counted() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise refusal
        return message

    return counted
