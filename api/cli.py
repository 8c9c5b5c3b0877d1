"""`heddle`, the command line. A command is imported when it is typed: the house takes a second to load."""

import signal
import sys
from typing import Annotated

from cyclopts import App, Parameter

from api.logs import log_to_stderr
from api.memory import loading

app = App(name="heddle", help="A helpdesk for online shops.", version_flags=[])

COMMANDS = {
    "serve": ("serving:serve", "Answers on HTTP and, with HEDDLE_SMTP_IN_PORT, on SMTP."),
    "worker": (
        "serving:worker",
        "Works behind the doors, without answering itself: any number of them, on any machine.",
    ),
    "agent": ("setting_up:agent", "The people of the shop."),
    "team": ("team_commands:team", "Teams, and how their work is handed out."),
    "tag": ("tag_commands:tag", "The tags of tickets."),
    "token": ("setting_up:token", "Integrators' tokens."),
    "channel": ("channel_commands:channel", "The ways in."),
    "policy": (
        "promising:policy",
        "Sets how soon a customer gets a first reply, counted in the hours in which the shop is open; without a target, "
        "lists the policies.",
    ),
    "contact": ("contact_commands:contact", "What is held about customers: one of them, or all."),
    "statistics": ("statistics_commands:statistics", "What came in, what was answered, and how soon."),
    "import": ("import_commands:imports", "Brings along what a shop has already."),
    "mail": ("mail_commands:mail", "How mails are read."),
    "ask": (
        "asking:ask",
        "Asks the GraphQL API without a server, and prints what it answers as JSON.\n\nA `clientMutationId` that is not given, or "
        "is the word UUID, is made up. Ends with status 1 where something is refused.",
    ),
    "migrate": ("caretaking:migrate", "Brings the database up to date. Every start does so too."),
    "doctor": (
        "caretaking:doctor",
        "Looks whether all is well, and changes nothing. Exit status 1 if something is not.",
    ),
    "backup": (
        "caretaking:back_up",
        "Writes everything but the secret key into one file, while Heddle works.",
    ),
    "restore": (
        "caretaking:restore",
        "Fills an empty database from a backup. Nothing leaves until `heddle release`.",
    ),
    "release": ("caretaking:release", "Lets a restored Heddle send again."),
    "reseal": (
        "caretaking:seal_anew",
        "Seals credentials anew with the first key of HEDDLE_SECRET_KEY, so that what stands behind it can be dropped.",
    ),
    "migration": (
        "caretaking:migration",
        "Writes a migration for what the models say and the database does not (developers).",
    ),
    "schema": (
        "caretaking:schema",
        "Writes schema.graphql from the code; with --check only says whether it is the same.",
    ),
}

for name, (place, said) in COMMANDS.items():
    app.command(f"api.commands.{place}", name=name, help=said)


@app.command
async def demo(
    *,
    once: Annotated[
        bool, Parameter(help="Ends after the story; exit status 0 only if every step was seen.")
    ] = False,
    port: int = 8000,
) -> None:
    """Plays the story on this machine: four channels, one ticket, a manager's phone. Stays up afterwards."""
    from demo.story import play

    raise SystemExit(await play(once=once, port=port))


def main() -> None:
    loading()
    log_to_stderr()
    # Whatever runs then leaves by the door, and the embedded database is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app(sys.argv[1:])
    except _refusals() as problem:
        print(f"heddle: {problem}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _refusals() -> tuple[type[Exception], ...]:
    """What is one sentence for whoever typed the command. Asked only when something was raised."""
    from domain.errors import Refused
    from domain.operations.postgres_programs import CannotStart
    from domain.settings import WrongSetting

    return WrongSetting, CannotStart, Refused


if __name__ == "__main__":
    main()
