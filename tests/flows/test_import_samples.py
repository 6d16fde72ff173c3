"""The recorded samples, taken in as a user would, come to the totals that were computed for them by hand."""

import csv
import io
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from planner.core.errors import Conflict
from planner.core.event import Role
from planner.core.money import pico_text
from planner.flows import agreement
from planner.flows.focus_report import focus_report
from planner.flows.import_file import Import, import_file
from planner.flows.margin_report import Question, margin_report
from planner.flows.survey import Summary
from planner.store.engine import Store
from tests.data import shared

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def taken(store: Store, *path: str, role: Role | None = None, **words: Any) -> Summary:
    """Import a sample."""
    asked = Import(path=shared("usage", *path), name=path[-1], words=words, role=role)
    return import_file(store, asked, now=lambda: NOW, by="test")


def booked(summary: Summary) -> tuple[str, str]:
    """Return what the rows were rated at, and what the file states for them, in dollars."""
    measures = list(summary.measures.values())
    return pico_text(sum(one.cost for one in measures)), pico_text(sum(one.stated for one in measures))


@pytest.mark.parametrize(
    ("path", "words", "rated", "stated"),
    [
        # One billed, one failed, and one answered from the gateway's own cache, which is a known zero.
        (("litellm", "spend_logs.csv"), {}, "0.0024", "0.0021"),
        # Prompts beside their cached part, by sums to 18,714; a private model has no price and no $0.
        (("langfuse", "observations.jsonl"), {"provider": "anthropic"}, "0.012483", "0.012483"),
        # The third span reads more from the cache than its prompt has, so Anthropic's lie beside it.
        (("otel", "otlp_traces_genai.json"), {}, "0.013986", "0"),
        # Dollars that cannot be computed from these counts: usage and what own keys paid.
        (("openrouter", "activity.json"), {}, "0", "0.027"),
    ],
)
def test_a_sample_comes_to_its_total(
    installed_copy: Store, path: tuple[str, ...], words: dict[str, Any], rated: str, stated: str
) -> None:
    """At the prices that were in force; and once more, it changes nothing."""
    assert booked(taken(installed_copy, *path, **words)) == (rated, stated)
    again = taken(installed_copy, *path, **words)
    assert set(again.outcomes) == {"duplicate"}
    assert again.repeated is not None


def test_every_sample_is_in_focus_at_what_the_margin_report_says(installed_copy: Store) -> None:
    """Month by month, and what only OpenRouter stated the cost of is there too; what has no cost is counted in rows."""
    for path in (
        ("litellm", "spend_logs.csv"), ("otel", "otlp_traces_genai.json"), ("openrouter", "activity.json"),
        ("openrouter", "generation.json"), ("openai", "usage_completions_page.json"),
        ("anthropic", "analytics_usage_beta.json"),
    ):  # fmt: skip
        taken(installed_copy, *path, role=Role.LEDGER)
    taken(installed_copy, "langfuse", "observations.jsonl", role=Role.LEDGER, provider="anthropic")
    rows, costs, sums = list[dict[str, str]](), dict[str, Decimal](), defaultdict[str, Decimal](Decimal)
    for year in (2024, 2025, 2026):
        since, until = date(year, 1, 1), date(year + 1, 1, 1)
        with installed_copy.read() as connection:
            text, counts = focus_report(connection, since, until)
            report = margin_report(connection, Question(by=("month",), since=since, until=until))
        rows += csv.DictReader(io.StringIO(text))
        costs |= {row["month"]: Decimal(row["token_cost_usd"]) for row in report["rows"]}
        assert counts["unpriced"] == report["total"]["unpriced_rows"]
    for row in rows:
        sums[row["BillingPeriodStart"][:7]] += Decimal(row["BilledCost"])
    assert sums == {month: cost for month, cost in costs.items() if cost}
    stated = [(row["BilledCost"], row["SkuId"]) for row in rows if row["x_CostBasis"] == "reported"]
    assert stated == [("0.0015", ""), ("0.027", "")]


def test_cost_reports_are_evidence_and_their_amounts_are_cents(installed_copy: Store) -> None:
    """Anthropic's 123.78912 and 10 are $1.3378912; nothing of it counts."""
    summary = taken(installed_copy, "anthropic", "cost_report_legacy.json")
    assert (summary.role, str(summary.evidence_usd), dict(summary.outcomes)) == (
        "evidence",
        "1.3378912",
        {"evidence": 2},
    )


def test_two_streams_that_may_tell_the_same_leave_nothing_behind(installed_copy: Store) -> None:
    """Langfuse's and Helicone's rows of one day: the second file is refused whole until its role is chosen."""
    taken(installed_copy, "langfuse", "observations.jsonl", provider="openai", source="a")
    with pytest.raises(Conflict, match="stream_overlap"):
        taken(installed_copy, "helicone", "requests.csv", provider="openai", source="b")
    with installed_copy.read() as connection:
        sources = set(connection.exec_driver_sql("SELECT source FROM usage_events").scalars())
    assert sources == {"a"}
    chosen = taken(installed_copy, "helicone", "requests.csv", provider="openai", source="b", role=Role.EVIDENCE)
    assert set(chosen.outcomes) == {"evidence"}


def test_stripe_counts_each_transaction_once_and_each_subscription_by_the_second(installed_copy: Store) -> None:
    """$19.72 of one customer, EUR 46.85 of another, nothing of a trial; the itemized file adds who paid and no cent."""
    balance = taken(installed_copy, "stripe", "balance_history.csv")
    assert balance.revenue == {
        ("cash", "USD"): "41.45", ("fee", "USD"): "3.8", ("refund", "USD"): "20", ("cash", "JPY"): "3000",
        ("fee", "JPY"): "138",
    }  # fmt: skip
    question = Question(by=("customer",), since=date(2026, 9, 1), until=date(2026, 10, 1))
    taken(installed_copy, "stripe", "subscriptions.csv")
    with installed_copy.read() as connection:
        before = margin_report(connection, question)
    rows = {row["customer"]: row for row in before["rows"]}
    assert Decimal(rows["cus_1"]["gross_revenue_usd"]).quantize(Decimal("0.01")) == Decimal("19.72")
    assert Decimal(rows["cus_2"]["unconverted"]["EUR"]).quantize(Decimal("0.01")) == Decimal("46.85")
    assert (rows["cus_3"]["revenue_usd"], rows["cus_3"]["unconverted"]) == ("0", {})
    taken(installed_copy, "stripe", "balance_change_from_activity_itemized_3.csv")
    with installed_copy.read() as connection:
        after = margin_report(connection, question)
    for name in ("gross_revenue_usd", "refunds_usd", "payment_fees_usd", "unconverted"):
        assert after["total"][name] == before["total"][name]
    assert {row["customer"]: row["refunds_usd"] for row in after["rows"]}["cus_1"] == "20"


def test_an_amount_in_euros_is_converted_at_the_rate_of_its_day(installed_copy: Store) -> None:
    """The yearly subscription began on the first of January, so that day's rate counts all year."""
    rate = {"currency": "EUR", "day": date(2026, 1, 1), "usd": "1.2", "source": "t", "source_url": "https://t.test"}
    installed_copy.tell(lambda connection: agreement.set_fx(connection, rate, at=NOW, actor="test", reason="t"))
    taken(installed_copy, "stripe", "subscriptions.csv")
    with installed_copy.read() as connection:
        question = Question(by=("customer",), since=date(2026, 9, 1), until=date(2026, 10, 1))
        rows = {row["customer"]: row for row in margin_report(connection, question)["rows"]}
    # 570 EUR x 30 / 365 days x 1.2
    assert rows["cus_2"]["revenue_usd"] == "56.219178082192"
