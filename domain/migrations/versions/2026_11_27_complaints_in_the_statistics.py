"""complaints in the statistics"""

import sqlalchemy as sa
from alembic import op

revision = 'b1f07a5c92d4'
down_revision = '7528839a149e'

STRETCHES = (
    "kind IN ('open', 'complaint_received', 'complaint_investigating', 'complaint_waiting', 'complaint_decided',"
    " 'complaint_remedied')"
)


def upgrade() -> None:
    op.drop_index('ix_measurement_open', table_name='measurement')
    op.create_index('ix_measurement_open', 'measurement', ['until'], unique=False, postgresql_where=sa.text(STRETCHES))
    # The reader of statistics measures every ticket anew: complaints there are already have not been counted.
    op.execute(
        "UPDATE reader SET xid = '0', seq = 0 WHERE name = 'statistics' AND EXISTS (SELECT FROM complaint)"
    )
