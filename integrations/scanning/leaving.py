"""May an answer leave with these files?"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from domain.answering.delivery_problems import Problem
from domain.desk import scans
from domain.desk.messages import Attachment
from domain.work import TryLater
from integrations.outbound import SendRefused

LOOKING = 5.0


async def check_files(session: AsyncSession, attachments: Sequence[Attachment]) -> None:
    """None leaves before it is looked through, and an infected one never does."""
    names = {one.file: one.name for one in attachments if one.file}
    held_back = await scans.held_back(session, names) if names else []
    if unfit := [scan for scan in held_back if scan.infection or scan.due_at is None]:
        said = ", ".join(f"{names[scan.file]}: {scan.infection or scan.last_error}" for scan in unfit)
        raise SendRefused(said, problem=Problem.FILE_UNSAFE)
    if held_back:
        raise TryLater("its files are still being looked through", after=LOOKING)
