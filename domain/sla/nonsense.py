"""Hours, or days, that somebody wrote and that cannot be."""

from typing import Any


class Nonsense(ValueError):
    """`sentence` with its `values` says why."""

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(sentence.format(**values))
        self.sentence, self.values = sentence, values
