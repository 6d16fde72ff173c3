"""A price that waits while a newer answer of its source, which waits as a whole, says something else.

Why: after a wrong list was let in and the right one came back, the wrong one's prices could still be approved.
Safe: one new, empty column; what is stored keeps its meaning. Locks the table for the moment of the change.
Undo: loses which waiting prices were contested; the next answer of their source finds it out again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("holds", sa.Column("contested_by", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.drop_column("contested_by")
