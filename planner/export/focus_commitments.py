"""Commitments in FOCUS: the purchase is billed and costs nothing yet, what it covers costs and is billed no more.

A purchase is one row over its term with the whole BilledCost and no EffectiveCost. Usage it covers has the status
``Used``. What is left unused when a term ends, and what throughput costs on a day nothing was served, is a row
``Unused`` of that day; a promised spend is billed as it is used, and what was not spent is billed then. A row
``Unused`` below 0 takes back what was said before of days that were closed. Of a commitment that is entered or taken
back after days were closed it has the BilledCost by which what these were billed is wrong.

Source: github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, 1.4, commitment discounts, and its example of a drawdown
via a prepayment.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from planner.core.commitment import THROUGHPUT
from planner.core.money import pico_text

PURCHASE, UNUSED = "purchase", "unused"
_TYPES = {"prepaid": "Prepaid Drawdown", "spend": "Spend Commitment", "throughput": "Provisioned Throughput"}


@dataclass(frozen=True, slots=True)
class Paper:
    """What a commitment is called: its number, name and kind."""

    id: int
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A row of a commitment itself; amounts in 1e-12 USD, moments in UTC.

    ``amount_pico`` is how much of the commitment it is about; a purchase has it as its price, what is unused has none.
    """

    what: str
    paper: Paper
    period_start: datetime
    period_end: datetime
    billing_start: datetime
    billing_end: datetime
    account: str
    provider: str
    channel: str
    amount_pico: int
    billed_pico: int
    effective_pico: int


def commitment_columns(paper: Paper, status: str, quantity_pico: int) -> dict[str, str]:
    """Return the columns that say which commitment a row is of; the quantity is in dollars."""
    return {
        "CommitmentDiscountCategory": "Usage" if paper.kind == THROUGHPUT else "Spend",
        "CommitmentDiscountId": f"commitment-{paper.id}",
        "CommitmentDiscountName": paper.name,
        "CommitmentDiscountQuantity": pico_text(quantity_pico),
        "CommitmentDiscountStatus": status,
        "CommitmentDiscountType": _TYPES[paper.kind],
        "CommitmentDiscountUnit": "USD",
    }


def charge_row(charge: Charge) -> dict[str, str]:
    """Write a row of a commitment itself."""
    bought = charge.what == PURCHASE
    price = charge.amount_pico if bought else 0
    corrects = charge.amount_pico < 0 or charge.billed_pico not in (0, charge.amount_pico)
    return {
        "BilledCost": pico_text(charge.billed_pico),
        "BillingAccountId": charge.account,
        "BillingAccountName": charge.account,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _time(charge.billing_end),
        "BillingPeriodStart": _time(charge.billing_start),
        "ChargeCategory": "Purchase" if bought else "Usage",
        "ChargeClass": "Correction" if corrects else "",
        "ChargeDescription": f"{charge.paper.name}, {'bought' if bought else 'unused'}",
        "ChargeFrequency": "One-Time",
        "ChargePeriodEnd": _time(charge.period_end),
        "ChargePeriodStart": _time(charge.period_start),
        "ContractedCost": pico_text(price),
        "EffectiveCost": pico_text(charge.effective_pico),
        "HostProviderName": charge.provider,
        "InvoiceIssuerName": charge.provider if charge.channel == "direct" else charge.channel,
        "ListCost": pico_text(price),
        "PricingCurrency": "USD",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{charge.provider} API",
        "ServiceProviderName": charge.provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"commitment-{charge.paper.id}",
        "SkuMeter": _TYPES[charge.paper.kind],
        "x_Channel": charge.channel,
        "x_CostBasis": "commitment",
        "x_PicoUsd": str(price),
        "x_PicoUsdMax": str(price),
        **commitment_columns(charge.paper, "" if bought else "Unused", charge.amount_pico),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
