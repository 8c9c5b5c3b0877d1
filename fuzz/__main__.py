"""`./run fuzz [--bodies N] [--mails N] [--seed N] [--schemathesis SECONDS]`: odd requests against a Heddle of its own.

With --mails damaged mails are read instead, and no Heddle is started unless something else is asked for too.
"""

import argparse
import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from fuzz.asking import Outcome, ask
from fuzz.bodies import ROOT, bodies
from fuzz.mails import STRICT, Readings, read_all

EMAIL = "admin@shop.example"
SIGN_IN = """mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }"""
SLOWEST = 2.0


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


@contextmanager
def a_heddle() -> Iterator[tuple[str, str]]:
    """Its address, and an admin's access token."""
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix="heddle-fuzz-") as folder:
        Path(folder).chmod(0o711)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
        environment = {
            **inherited,
            "HEDDLE_DATA": folder,
            "HEDDLE_OPERATIONS_PER_MINUTE": "10000000",
            "HEDDLE_ANONYMOUS_PER_MINUTE": "10000000",
        }
        heddle = [sys.executable, "-m", "api.cli"]
        subprocess.run(
            [*heddle, "agent", "add", EMAIL, "--name", "Admin", "--role", "admin", "--password-stdin"],
            input=password + "\n", text=True, env=environment, cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(
                [*heddle, "serve", "--port", str(port)], env=environment, cwd=ROOT, stdout=log, stderr=log
            )
        try:
            address = f"http://127.0.0.1:{port}"
            yield address, _sign_in(address, password)
        finally:
            server.terminate()
            server.wait(30)


def _sign_in(address: str, password: str) -> str:
    for _ in range(300):
        try:
            httpx.get(f"{address}/readyz").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    input = {"email": EMAIL, "password": password, "clientMutationId": "fuzz"}
    answer = httpx.post(
        f"{address}/graphql", json={"query": SIGN_IN, "variables": {"input": input}}, timeout=30
    )
    token: str = answer.json()["data"]["signIn"]["accessToken"]
    return token


def tell(outcome: Outcome) -> bool:
    """Is it well?"""
    counted = ", ".join(f"{count:,} × {status}" for status, count in sorted(outcome.statuses.items()))
    say(f"{outcome.statuses.total():,} bodies: {counted}; the slowest took {outcome.slowest * 1000:.0f} ms.")
    for body in outcome.ours[:5]:
        say(f"  we broke over {body[:400]!r}")
    if outcome.slowest > SLOWEST:
        say(f"  too slow: {outcome.slowest_body[:400]!r}")
    return not outcome.ours and outcome.slowest <= SLOWEST


def tell_mails(readings: Readings) -> bool:
    """Is it well?"""
    counted = ", ".join(f"{count:,} × {outcome}" for outcome, count in sorted(readings.outcomes.items()))
    total = readings.outcomes.total()
    say(
        f"{total:,} mails: {counted}; {total / readings.took:.0f} a second, the slowest {readings.slowest:.1f} s."
    )
    for number, problem in readings.ours[:10]:
        say(f"  we broke over mail {number}: {problem}")
    return not readings.ours


def schemathesis(address: str, token: str, seconds: int, seed: int) -> bool:
    """Requests made from the schema, for so long."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", str(ROOT / "schema.graphql"),
                "--url", f"{address}/graphql", "--header", f"Authorization: Bearer {token}",
                "--checks", "not_our_failure", "--max-time", str(seconds), "--seed", str(seed),
                "--workers", "2", "--no-color", "--exclude-name", "Mutation.signOut",
                "--continue-on-failure",
                "--suppress-health-check", "all",
            ],
            cwd=folder, check=False, env={**os.environ, "SCHEMATHESIS_HOOKS": "fuzz.from_schema", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    return run.returncode == 0


def is_signed_in(address: str, token: str) -> bool:
    viewer = {"query": "{ viewer { role } }"}
    answer = httpx.post(f"{address}/graphql", json=viewer, headers={"Authorization": f"Bearer {token}"})
    if answer.json().get("data"):
        return True
    say("The run ended its own session: what came after was asked by nobody.")
    return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run fuzz", description=__doc__)
    parser.add_argument("--bodies", type=int, help="odd bodies for /graphql (10,000 unless --mails are)")
    parser.add_argument("--mails", type=int, default=0, help="damaged mails, read as the mailroom reads them")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument(
        "--schemathesis", type=int, default=0, metavar="SECONDS", help="requests made from the schema"
    )
    given = parser.parse_args()
    well = not given.mails or tell_mails(read_all(given.seed, given.mails, STRICT))
    if given.bodies is None:
        given.bodies = 0 if given.mails else 10_000
    if given.bodies or given.schemathesis:
        well = ask_a_heddle(given) and well
    raise SystemExit(0 if well else 1)


def ask_a_heddle(given: argparse.Namespace) -> bool:
    with a_heddle() as (address, token):
        well = not given.bodies or tell(asyncio.run(ask(address, bodies(given.seed, given.bodies), token)))
        if given.schemathesis:
            well = schemathesis(address, token, given.schemathesis, given.seed) and well
        return is_signed_in(address, token) and well


if __name__ == "__main__":
    main()
