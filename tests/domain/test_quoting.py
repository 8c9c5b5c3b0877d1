import time

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.answering.replies import send
from domain.arriving.quoting import without_ours
from domain.customers.contacts import Identity
from domain.desk.messages import Direction
from domain.keys import Keys
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_mail, an_agent, messages, receive, threads, tickets

OURS = """Dear Ada,

we are sorry that the vase came in two pieces. We can send
another one today, or return your money.

Ben"""


@pytest.mark.parametrize(
    "text",
    [
        f"My money, please.\n\n{OURS}",
        f"My money, please.\n\nBen at Shop, ben@shop.example, 3 November 2025 12:00:\n\n{OURS}\n",
        "My money, please.\n\n" + OURS.replace("\n", "\n> "),
        "My money, please.\n\n"
        + OURS.replace("send\nanother", "send another").replace("vase came", "vase\ncame"),
        "My money, please.\n\nreturn your money.\n".replace(
            "return", OURS.rpartition("return")[0] + "return"
        ),
    ],
)
def test_the_end_of_a_mail_that_repeats_what_we_sent_is_folded(text: str) -> None:
    assert without_ours(text, ["Something else.", OURS]) == "My money, please."


@pytest.mark.parametrize(
    "text",
    [
        "My money, please.\n\nBen",
        "Why did you write\n\nDear Ada,\n\nBen",
        f"{OURS}\n\nMy money, please.",
        OURS,
        "We can send another one today, or return your money, you said, so do it.",
        "",
    ],
)
def test_when_in_doubt_nothing_is_folded(text: str) -> None:
    assert without_ours(text, [OURS]) == text
    assert without_ours(text, []) == text


def test_a_word_of_the_customers_above_our_own_words_stays() -> None:
    assert without_ours(f"Ben\n\n{OURS}", [OURS]) == "Ben"


def test_no_text_takes_longer_than_its_length_to_compare() -> None:
    started = time.perf_counter()

    for text in ("a\n" * 100_000, "a " * 500_000, ("ab " * 30 + "\n") * 5_000, "@1" * 100_000 + ":"):
        without_ours(f"Hi\n{text}", [text, "b" + text, text + "b"])

    assert time.perf_counter() - started < 20  # a machine may be busy with other things


async def test_an_answer_by_mail_is_kept_without_what_we_wrote(
    session: AsyncSession, mailbox: Channel, keys: Keys
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org", external_id="first@example.org"))
    (ticket,) = await tickets(session)
    ben = await an_agent(session, "Ben")
    identity = (await session.scalars(select(Identity))).one()
    sent = await send(
        session, keys, ticket, to=identity, text=OURS, by=ben.as_actor(), at=NOON, last_seen_seq=2**40
    )
    await session.flush()
    (thread,) = await threads(session, ticket)

    whole = f"My money, please.\n\n{OURS}"
    answer = a_mail(
        "ada@example.org", whole, references=(sent.external_id or "",), thread_number=thread.number
    )
    await receive(session, mailbox, answer)

    *_, last = await messages(session, ticket)
    assert (last.direction, last.text, last.folded) == (Direction.IN, whole, "My money, please.")
