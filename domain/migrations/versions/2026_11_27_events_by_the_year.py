"""Events by the year"""

from alembic import op
from sqlalchemy import text

revision = '5c1b7f0e92ad'
down_revision = 'b1f07a5c92d4'

MONTHS = r"""
SELECT inhrelid::regclass::text FROM pg_inherits
WHERE inhparent = 'event'::regclass AND inhrelid::regclass::text ~ '^event_\d{4}_\d{2}$'
"""


def upgrade() -> None:
    """What stood in the partitions of months goes to the default one: from there the partition of its year takes it."""
    for month in op.get_bind().scalars(text(MONTHS)).all():
        op.execute(f'ALTER TABLE event DETACH PARTITION {month}')
        op.execute(f'INSERT INTO event SELECT * FROM {month}')
        op.execute(f'DROP TABLE {month}')
