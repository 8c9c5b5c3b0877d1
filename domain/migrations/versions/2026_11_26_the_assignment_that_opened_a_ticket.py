"""the assignment that opened a ticket"""

from alembic import op

revision = 'e4a1907b62cd'
down_revision = '7c0d5be1f3a2'


def upgrade() -> None:
    # Until now an assignment opened a new ticket without saying so: it was the first thing to set its status.
    op.execute("""
        UPDATE event SET data = event.data || '{"status": ["new", "open"]}'
        FROM (
            SELECT DISTINCT ON (ticket_id) seq, at, kind FROM event
            WHERE kind = 'ticket_reopened' OR kind = 'ticket_changed' AND data ? 'status'
                OR kind = 'ticket_assigned' AND data ->> 'to' IS NOT NULL
            ORDER BY ticket_id, at, seq
        ) AS first
        WHERE first.kind = 'ticket_assigned' AND event.at = first.at AND event.seq = first.seq
    """)
