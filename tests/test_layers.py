"""The arrows of the house: everything may know the domain, the domain knows nobody."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "domain": {"domain"},
    "integrations": {"domain", "integrations"},
    "notifications": {"domain", "notifications"},
    "api": {"api", "domain", "integrations", "notifications", "demo"},
    "demo": {"demo"},
}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_follow_the_arrows(room: str) -> None:
    against = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in (ROOT / room).rglob("*.py")
        for line, name in _imports(file)
        if name.split(".")[0] in MAY_IMPORT and name.split(".")[0] not in MAY_IMPORT[room]
    ]

    assert against == []


def _imports(file: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} is a relative import"
            found += [(node.lineno, f"{node.module}.{name.name}") for name in node.names]
    return found


def test_nothing_in_the_domain_goes_round_in_a_circle() -> None:
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file
        for file in (ROOT / "domain").rglob("*.py")
    }
    known = {
        module: {name for _, named in _imports(file) for name in (named, named.rpartition(".")[0])}
        for module, file in modules.items()
    }

    TopologicalSorter({module: names & modules.keys() for module, names in known.items()}).prepare()


def test_the_domain_brings_in_neither_rooms_nor_frameworks() -> None:
    strangers = [
        "api",
        "integrations",
        "notifications",
        "demo",
        "fastapi",
        "starlette",
        "strawberry",
        "firebase_admin",
        "google",
    ]
    code = (
        "import pkgutil, importlib, sys, domain\n"
        "for module in pkgutil.walk_packages(domain.__path__, 'domain.'):\n"
        "    if not module.name.startswith('domain.migrations.'): importlib.import_module(module.name)\n"
        f"print([name for name in {strangers} if name in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == "[]"


def test_who_reads_mails_knows_nothing_of_the_house() -> None:
    code = (
        "import sys, integrations.mail.reading.reader\n"
        "rooms = ('domain.', 'notifications', 'api', 'sqlalchemy', 'pydantic')\n"
        "print([name for name in sys.modules if name.startswith(rooms)])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert printed.stdout.strip() == "['domain.joining', 'domain.joining.subjects']"
