"""nothing goes by a device's time zone"""

from alembic import op

revision = "76d4783be650"
down_revision = "05495ccbc296"


def upgrade() -> None:
    op.drop_column("device", "timezone")
