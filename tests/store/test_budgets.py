"""Budgets as rows: one a plan and month on record, old ones kept, and a migration that goes both ways."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from alembic import command

from planner.core.budget import Budget
from planner.core.errors import Conflict
from planner.store import alerts, budgets, migrate
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.schema import REVISION

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRO = Budget(
    plan="pro", from_month="2026-11", amount_usd=Decimal("500.25"), thresholds_percent=(50, 100), recorded_from=NOON,
    recorded_by="ada",
)  # fmt: skip
ALL, ENDED = replace(PRO, plan=None), replace(PRO, from_month="2027-01", amount_usd=None, thresholds_percent=())


def add(store: Store, *rows: Budget) -> None:
    """Put budgets on record."""
    for row in rows:
        store.tell(lambda connection, row=row: budgets.add(connection, row))  # type: ignore[misc]  # bound per row


def live(store: Store) -> list[Budget]:
    """Return what is on record."""
    with store.read() as connection:
        return budgets.live(connection)


def test_what_is_put_on_record_is_read_again(store: Store) -> None:
    """To the last digit; no plan is all of them, and no amount is the end of a budget."""
    add(store, ENDED, PRO, ALL)
    assert live(store) == [PRO, ALL, ENDED]


@pytest.mark.parametrize("row", [PRO, ALL])
def test_a_plan_has_one_budget_from_a_month_on(store: Store, row: Budget) -> None:
    """The database itself refuses a second one, also of all plans together, where no plan is named."""
    add(store, PRO, ALL, ENDED)
    with pytest.raises(Conflict):
        add(store, replace(row, amount_usd=Decimal(1)))


@pytest.mark.parametrize(("plan", "left"), [("pro", [ALL, ENDED]), (None, [PRO, ENDED])])
def test_what_is_taken_off_the_record_stays_readable(store: Store, plan: str | None, left: list[Budget]) -> None:
    """It is that of one plan and month alone; another one can take its place, also in the same moment."""
    add(store, PRO, ALL, ENDED)
    store.tell(lambda connection: budgets.close(connection, plan, ["2026-11"], NOON))
    assert live(store) == left
    add(store, replace(PRO, plan=plan, amount_usd=Decimal(7)))
    with store.read() as connection:
        rows = connection.execute(sa.select(t.budgets).where(t.budgets.c.recorded_to.is_not(None))).all()
    assert [(row.plan_id, row.amount_usd, row.recorded_by) for row in rows] == [(plan, "500.25", "ada")]


def test_the_table_comes_goes_and_comes_again(store: Store) -> None:
    """Down to the version before, what was set is lost and what was told stays; up again it takes budgets as before."""
    add(store, PRO, ALL)
    store.tell(lambda connection: alerts.add(connection, NOON, "budget_reached", "pro", {"plan": "pro"}, None))
    with store.engine.connect() as connection:
        command.downgrade(migrate._config(connection), "0012")
        connection.commit()
        assert "budgets" not in sa.inspect(connection).get_table_names()
    with store.engine.connect() as connection:
        command.upgrade(migrate._config(connection), REVISION)
        connection.commit()
    assert live(store) == []
    add(store, PRO, ALL)
    with pytest.raises(Conflict):
        add(store, ALL)
    with store.read() as connection:
        assert alerts.facts_of(connection, "budget_reached") == [{"plan": "pro"}]
        assert alerts.facts_of(connection, "budget_reached", NOON) == [{"plan": "pro"}]
        assert alerts.facts_of(connection, "budget_reached", datetime(2026, 12, 1, tzinfo=UTC)) == []
