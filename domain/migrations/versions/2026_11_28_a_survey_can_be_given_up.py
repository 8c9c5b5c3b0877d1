"""a survey can be given up"""

import sqlalchemy as sa
from alembic import op

revision = "8c799ba78cba"
down_revision = "76d4783be650"


def upgrade() -> None:
    op.add_column("survey", sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True))
