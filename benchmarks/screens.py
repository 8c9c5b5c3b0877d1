"""What the screens ask, word for word: the operations of `docs/operations`."""

from functools import cache

from graphql import parse, print_ast, separate_operations

from benchmarks.processes import ROOT

FOLDER = ROOT / "docs/operations"


@cache
def operation(name: str) -> str:
    """With the fragments that it uses."""
    text = "\n".join(file.read_text() for file in sorted(FOLDER.glob("*.graphql")))
    return print_ast(separate_operations(parse(text))[name])
