"""What came out against what was told: pure, over pairs of events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from tests.joining.corpus import Pair, Story, ordered
from tests.joining.playing import Ending


@dataclass(frozen=True)
class Score:
    """Joins that are right, missing, wrong: of tickets, of contacts, of suggestions; and joins of two people."""

    stories: int = 0
    pairs: int = 0
    right: int = 0
    missing: int = 0
    wrong: int = 0
    contacts_right: int = 0
    contacts_missing: int = 0
    contacts_wrong: int = 0
    offered: int = 0
    not_offered: int = 0
    wrongly_offered: int = 0
    wrong_person: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Score)))

    @property
    def recall(self) -> float:
        return share(self.right, self.missing)

    @property
    def precision(self) -> float:
        return share(self.right, self.wrong)


@dataclass(frozen=True)
class Verdict:
    story: Story
    score: Score
    differences: tuple[str, ...]


def share(right: int, others: int) -> float:
    return right / (right + others) if right + others else 1.0


def judge(story: Story, ending: Ending) -> Verdict:
    by = {event.id: event.by for event in story.events}
    pairs = story.pairs()
    tickets = {pair for pair in pairs if ending.places[pair[0]].ticket == ending.places[pair[1]].ticket}
    contacts = {pair for pair in pairs if ending.places[pair[0]].contact == ending.places[pair[1]].contact}
    judged = contacts - story.may_contact
    two_people = {
        pair
        for pair in tickets | contacts
        if by[pair[0]] != by[pair[1]]
        and pair not in story.contacts | story.tickets | (story.may_contact - tickets)
    }
    offered, strange = _offers(story, ending)
    score = Score(
        stories=1,
        pairs=len(pairs),
        right=len(tickets & story.tickets),
        missing=len(story.tickets - tickets),
        wrong=len(tickets - story.tickets),
        contacts_right=len(judged & story.contacts),
        contacts_missing=len(story.contacts - judged),
        contacts_wrong=len(judged - story.contacts),
        offered=len(offered),
        not_offered=len(story.suggests - offered),
        wrongly_offered=len(strange),
        wrong_person=len(two_people),
    )
    differences = (
        *_named("TWO PEOPLE", two_people),
        *_named("tickets not joined", story.tickets - tickets),
        *_named("tickets joined wrongly", tickets - story.tickets),
        *_named("contacts apart", story.contacts - judged),
        *_named("contacts one wrongly", judged - story.contacts),
        *_named("not suggested", story.suggests - offered),
        *_named("suggested wrongly", strange),
    )
    return Verdict(story, score, differences)


def _offers(story: Story, ending: Ending) -> tuple[set[Pair], set[Pair]]:
    """Which of the suggestions were made, and which were made that nobody told of.

    Another ticket of the right contact will do. A suggestion that is told of is no fault when seen from its other end.
    """
    place, made = ending.places, set[Pair]()
    contact_of = {one.ticket: one.contact for one in place.values()}
    for one, other in story.suggests:
        ticket = place[one].ticket
        if ticket == place[other].ticket:
            continue
        for offering, offered in ending.suggested:
            if offering == ticket and (
                offered == place[other].ticket or contact_of.get(offered) == place[other].contact
            ):
                made.add((one, other))
    told = {ordered(*pair) for pair in story.suggests | story.may_suggest}
    strange = set[Pair]()
    for offering, offered in ending.suggested:
        between = {
            (one, other)
            for one in place
            for other in place
            if place[one].ticket == offering and place[other].ticket == offered
        }
        if not any(ordered(*pair) in told for pair in between):
            strange.add(min(between, default=("?", "?")))
    return made, strange


def _named(what: str, pairs: Iterable[Pair]) -> Iterator[str]:
    if pairs := sorted(pairs):
        yield f"{what}: {' '.join(f'{one}-{other}' for one, other in pairs)}"


def table(verdicts: list[Verdict]) -> str:
    rows = [
        f"{'':18}{'stories':>8}{'pairs':>7} |{'recall':>8}{'precision':>10}{'wrong':>6} |{'recall':>8}{'precision':>10}"
        f" |{'recall':>8}{'precision':>10} |{'two':>7}",
        f"{'':18}{'':15} |{'tickets':>24} |{'contacts':>18} |{'suggestions':>18} |{'people':>7}",
    ]
    for file in dict.fromkeys(verdict.story.file for verdict in verdicts):
        rows.append(_row(file, [verdict for verdict in verdicts if verdict.story.file == file]))
    for lang in dict.fromkeys(verdict.story.lang for verdict in verdicts):
        rows.append(_row(f"({lang})", [verdict for verdict in verdicts if verdict.story.lang == lang]))
    return "\n".join([*rows, _row("all", verdicts)])


def total(verdicts: list[Verdict]) -> Score:
    return sum((verdict.score for verdict in verdicts), Score())


def _row(title: str, verdicts: list[Verdict]) -> str:
    score = total(verdicts)
    contacts = (
        share(score.contacts_right, score.contacts_missing),
        share(score.contacts_right, score.contacts_wrong),
    )
    offers = share(score.offered, score.not_offered), share(score.offered, score.wrongly_offered)
    return (
        f"{title:18}{score.stories:8}{score.pairs:7} |{score.recall:8.3f}{score.precision:10.3f}{score.wrong:6}"
        f" |{contacts[0]:8.3f}{contacts[1]:10.3f} |{offers[0]:8.3f}{offers[1]:10.3f} |{score.wrong_person:7}"
    )


def differences(verdicts: list[Verdict]) -> str:
    """Of every story that ended otherwise than told, what did; those with two people in one place first."""
    other = sorted(
        (verdict for verdict in verdicts if verdict.differences), key=lambda it: -it.score.wrong_person
    )
    return "\n".join(
        f"{verdict.story.file} [{verdict.story.lang}] {verdict.story.name}\n    {'; '.join(verdict.differences)}"
        for verdict in other
    )
