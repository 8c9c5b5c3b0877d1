"""That somebody types is rung, and nowhere kept. Whoever hears it lets it lapse after six seconds."""

import uuid

LAPSES_AFTER = 6.0


def typing_of_visitor(ticket_id: uuid.UUID) -> str:
    """What is rung for the people of the shop."""
    return f"typing:{ticket_id}"


def typing_to_visitor(key: str) -> str:
    """What is rung for a chat's visitor, by the key of the conversation."""
    return f"chat-typing:{key}"
