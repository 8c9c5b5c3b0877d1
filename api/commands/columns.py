"""Rows on a terminal."""

from collections.abc import Iterable


def print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """A line for each, in columns."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
