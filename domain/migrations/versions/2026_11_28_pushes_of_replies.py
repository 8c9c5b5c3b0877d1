"""pushes of replies"""

import sqlalchemy as sa
from alembic import op

revision = "5979a2e82306"
down_revision = "7dfe0c45c2ed"


def upgrade() -> None:
    op.add_column(
        "alert_preferences", sa.Column("replies", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
