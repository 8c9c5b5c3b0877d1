"""What is in the answers of GraphQL."""

from typing import Any

MADE = {"message": "MESSAGE_ID", "token": "TOKEN_ID", "webhook": "WEBHOOK_ID"}


def refusals(answer: dict[str, Any]) -> list[Any]:
    """Of either kind."""
    payloads = (answer.get("data") or {}).values()
    return [
        *answer.get("errors", []),
        *(error for one in payloads if isinstance(one, dict) for error in one.get("userErrors", [])),
    ]


def learned(answer: dict[str, Any]) -> dict[str, str]:
    """Ids of what a mutation made, for whoever is asked next (`tests/capitals.py`)."""
    found = {}
    for payload in (answer.get("data") or {}).values():
        if isinstance(payload, dict):
            if payload.get("mergeId"):
                found["MERGE_ID"] = payload["mergeId"]
            found |= {word: payload[name]["id"] for name, word in MADE.items() if payload.get(name)}
    return found
