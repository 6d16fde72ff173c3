"""Models carry who settled them; one that only a feed named has nobody.

Why: a policy that denies models must not be walked around by a feed that lists the same weights under a new name:
    while nobody has looked at that name, such a policy refuses it.
Safe: one new empty column; `planner db upgrade` fills it for every model that travels with planner, the others wait
    for a person. The version before this one goes on reading and writing.
Undo: loses who settled which model; the audit trail keeps it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("models", sa.Column("settled_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.drop_column("settled_by")
