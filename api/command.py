"""`heddle` as it is typed. What needs no house is answered before one is loaded, which takes seconds."""

import sys


def main() -> None:
    if sys.argv[1:2] == ["mail"]:
        from api.commands.mail_commands import mail

        mail(sys.argv[2:])
        return
    from api import cli

    cli.main()
