"""`quoted/*.txt`: mails as programs write them. A line's first letter says whether it is shown (`|`) or folded (`-`)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.mail.marks import passes_on
from integrations.mail.quotes import fold

FOLDER = Path(__file__).parent / "quoted"


@dataclass(frozen=True)
class Sample:
    name: str
    text: str
    said: str

    def __str__(self) -> str:
        return self.name


def samples() -> Iterator[Sample]:
    for path in sorted(FOLDER.glob("*.txt")):
        for part in path.read_text(encoding="utf-8").split("### ")[1:]:
            name, *lines = part.rstrip("\n").split("\n")
            lines = [line for line in lines if line]
            assert all(line[0] in "|-" for line in lines), name
            said = "\n".join(line[1:] for line in lines if line[0] == "|").strip("\n")
            yield Sample(f"{path.stem}: {name}", "\n".join(line[1:] for line in lines), said)


SAMPLES = list(samples())


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_what_somebody_says_is_shown_and_what_they_quote_is_folded(sample: Sample) -> None:
    assert fold(sample.text) == sample.said
