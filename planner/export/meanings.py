"""What the figures and the parameters of a report mean, each with its unit and its formula in one sentence."""

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a figure counts in, and what it is. R is revenue_usd, C all costs: of tokens, of payments, and other."""

    unit: str
    text: str


_USD, _SHARE, _RATIO = "USD", "share of 1", "ratio"

FIGURES: dict[str, Meaning] = {
    "revenue_usd": Meaning(_USD, "R: what was earned in the time, net of tax and refunds"),
    "gross_revenue_usd": Meaning(_USD, "what was earned with its tax, before refunds: revenue + refunds + tax"),
    "refunds_usd": Meaning(_USD, "what was given back"),
    "tax_usd": Meaning(_USD, "the part of gross revenue that is tax"),
    "tax_unknown_usd": Meaning(_USD, "the part of revenue of which nobody said how much is tax"),
    "unconverted": Meaning("as written", "what came in in currencies without an exchange rate; it is not in revenue"),
    "token_cost_usd": Meaning(
        _USD, "what tokens and requests cost at the prices of the moment of use, after discount and fee"
    ),
    "token_cost_max_usd": Meaning(
        _USD, "the most they may have cost, where only bounds are known; empty where some have no price"
    ),
    "commitments_usd": Meaning(
        _USD, "what was paid or promised in advance cost beside token cost: amortised less what it served, or unused"
    ),
    "list_cost_usd": Meaning(_USD, "what they cost before discount and fee"),
    "reported_cost_usd": Meaning(_USD, "what a provider or gateway said they cost"),
    "payment_fees_usd": Meaning(_USD, "what taking the payments cost"),
    "payment_fees_assumed_usd": Meaning(_USD, "the part of these fees that nobody stated: what the plan assumes"),
    "other_costs_usd": Meaning(_USD, "what else the customers of a plan cost, as the plan says"),
    "gross_profit_usd": Meaning(_USD, "R - C"),
    "margin": Meaning(_SHARE, "(R - C) / R; empty where a cost is unknown, or nothing was earned"),
    "margin_max": Meaning(_SHARE, "(R - C) / R with the costs that are known: the margin is at most this"),
    "margin_min": Meaning(_SHARE, "(R - C) / R with the upper bounds of all costs: the margin is at least this"),
    "bounds": Meaning(
        "text",
        "why figures are no exact ones. tax_unknown: tax may be in R, so that R, gross profit and margins are at most "
        "these; unpriced, cost_bounds: costs are at least these; unconverted: revenue is missing. Empty: exact",
    ),
    "markup": Meaning(_RATIO, "(R - C) / C: not the margin; a margin of 50 % is a markup of 100 %"),
    "contribution_usd": Meaning(_USD, "R - token cost - commitments - payment fees"),
    "contribution_margin": Meaning(_SHARE, "contribution / R"),
    "coverage": Meaning(_SHARE, "tokens whose cost is known / all tokens"),
    "coverage_rows": Meaning(_SHARE, "rows of usage whose cost is known / all rows of usage"),
    "rows": Meaning("rows", "rows of usage"),
    "requests": Meaning("requests", "requests they stand for"),
    "input_tokens": Meaning("tokens", "tokens sent, those read from and written to caches included"),
    "output_tokens": Meaning("tokens", "tokens received, reasoning included"),
    "unpriced_rows": Meaning("rows", "rows of usage without a cost; no amount has them, and they are never 0 dollars"),
    "unpriced_tokens": Meaning("tokens", "the tokens of these rows"),
    "free_burn_usd": Meaning(_USD, "the part of token cost that was used on plans without a price"),
    "reporting_currency": Meaning("code", "the currency of the columns that follow"),
    "reporting_usd_per_unit": Meaning("USD", "what a unit of that currency was worth on the last day of a row's time"),
}

PARAMETERS: dict[str, str] = {
    "title": "what the report is of",
    "by": "the heads that rows stand under",
    "from": "the first day",
    "to": "the day after the last one",
    "tz": "the time zone whose days and months these are",
    "basis": "booked: what became known after a month was closed is in a later one; usage: by the time of use alone",
    "cost_basis": "rated: costs by our prices; reported: as who bills them stated them; best: rated, else reported",
    "known_at": "the moment whose knowledge is reported; empty: the present",
    "reporting_currency": "amounts stand in this currency too, where it is not USD",
    "closed": "whether every month of the report is closed, so that it stays as it is",
    "pending_work": "pieces of work that still wait and may change the figures",
    "rated_through_revision": "the last revision of the prices that every row was rated with",
    "unmatched_customers": "customers of usage or revenue that nobody said who they are",
    "unmatched_rows": "rows of usage of customers that nobody said who they are",
    "unmatched_token_cost_usd": "what those cost",
    "unmatched_revenue_usd": "what was earned from customers that nobody said who they are",
}
