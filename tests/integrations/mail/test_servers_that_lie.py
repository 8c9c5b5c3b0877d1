"""Mail servers that say what no server may: the mailbox fails, by name, and nothing else does."""

import asyncio

import pytest

from integrations.mail.mailbox import Mailbox
from integrations.mail.receiving.imap import BoxFailed, ImapBox
from tests.wire import parrot


@pytest.mark.parametrize(
    "selected",
    [
        "* OK [UIDVALIDITY 0] x\r\n* OK [UIDNEXT 1] x\r\n",
        "* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 99999999999999999999] x\r\n",
        "* OK [UIDVALIDITY 99999999999999999999] x\r\n* OK [UIDNEXT 1] x\r\n",
        "* OK [UIDVALIDITY x] x\r\n",
        "* OK [UIDVALIDITY 1] x\r\n* X {99999999999999999999}\r\n",
        "* OK [UIDVALIDITY 1] x\r\n* X {99999999999999}\r\n",
        "* OK [UIDVALIDITY 1] x\\r\\n* X {2000000000}\\r\\n",
        f"* OK {'x' * 2_000_000}\r\n",
    ],
)
async def test_a_folder_that_is_none_is_a_box_that_fails(selected: str) -> None:
    def answer(line: str) -> str:
        tag, _, said = line.partition(" ")
        if said.startswith("CAPABILITY"):
            return f"* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"
        return f"{selected if said.startswith('EXAMINE') else ''}{tag} OK done\r\n"

    async with parrot("* OK parrot", answer) as port:
        settings = {"address": "help@shop.example", "imap_password": "secret"}
        box = ImapBox(Mailbox(imap_url=f"imap://127.0.0.1:{port}", **settings), read=1)
        await asyncio.to_thread(box.sign_in, None)
        with pytest.raises(BoxFailed):
            await asyncio.to_thread(box.open)
        await asyncio.to_thread(box.leave)
