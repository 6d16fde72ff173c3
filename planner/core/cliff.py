"""Prompts a little longer than a step of the price: what cutting the few tokens above it saves on every request."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from planner.core.errors import Unpriced
from planner.core.expected import Priced
from planner.core.tariff import Tariff
from planner.core.trim import shortened
from planner.core.workload import Request, Workload

NEAR = Fraction(1, 5)
"""A step is near where at most this share of the prompt lies above it."""


class Cliff(NamedTuple):
    """One kind of request above a step: the longest prompt below it, how many tokens are too many, and what they cost.

    ``saving_usd_per_period`` is of all requests of the kind, expected, once the tokens are cut.
    """

    share: Fraction
    input_tokens: int
    input_tokens_below: int
    tokens_over: int
    saving_usd_per_request: Fraction
    saving_usd_per_period: Fraction


def cliffs(tariff: Tariff, workload: Workload) -> tuple[Cliff, ...]:
    """Return the near steps of the price below the prompts of a workload, those that save most first.

    Source:
        OpenAI charges the whole request at a higher price once a prompt is longer than 272,000 tokens, xAI from
        200,000 tokens on.
    """
    found = (cliff for request in workload.requests for cliff in _of(tariff, workload, request))
    return tuple(sorted(found, key=lambda cliff: (-cliff.saving_usd_per_period, cliff.input_tokens_below)))


def _of(tariff: Tariff, workload: Workload, request: Request) -> Iterator[Cliff]:
    usage = request.usage
    text = usage.text_input_tokens

    def without(tokens: int) -> Workload:
        return replace(workload, requests=(Request(shortened(usage, tokens, 0)),))

    for step in tariff.lengths():
        over = usage.input_tokens - step + 1
        if not 0 < over <= text or over > NEAR * usage.input_tokens:
            continue
        try:
            saved = tariff.cost_usd(without(0)) - tariff.cost_usd(without(over))
            falls = _falls(tariff, tariff.kinds(without(over - 1)), step)
        except Unpriced:
            continue
        if falls and saved > 0:
            of_all = saved * request.share * workload.requests_per_period
            yield Cliff(request.share, usage.input_tokens, step - 1, over, saved, of_all)


def _falls(tariff: Tariff, at_step: tuple[Priced, ...], step: int) -> bool:
    """Tell whether a request is cheaper below a step by more than the token that takes it there."""
    lines = at_step[0].cost.lines
    return sum((line.exact_usd - line.quantity * tariff.usd(line.unit, step - 1) for line in lines), Fraction()) > 0
