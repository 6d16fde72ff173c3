"""What a token of a task costs on the offer it is told to use, input and output blended at the task's own mix."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from planner.core.ask import Ask, Pick
from planner.core.errors import InvalidInput, MarginUnreachable
from planner.core.expected import Traits, usages_on
from planner.core.selfhost import Mix
from planner.core.usage import Usage
from planner.core.workload import Workload
from planner.flows.answer import recommend
from planner.flows.current import View


class Blended(NamedTuple):
    """The offer, and the tokens of a mean request as it runs there; without ``margin_kept`` no offer keeps the margin.

    Everything a request is billed for is in the price: failed attempts, discount and fees, and what is no token.
    """

    ask: Ask
    pick: Pick
    mix: Mix
    margin_kept: bool = True

    @property
    def usd_per_token(self) -> Fraction:
        """The expected cost of a request over its tokens."""
        return self.pick.cost_usd / self.mix.tokens


def blended(view: View, ask: Ask) -> Blended:
    """Return what a token costs; where every compliant offer is too dear, as if no margin were asked.

    Raises:
        InvalidInput: a request of the task has no tokens.
        NoAnswer: no offer is compliant, or none has a price.
    """
    asked, kept = replace(ask, fallbacks=0), True
    try:
        pick = recommend(view, asked).choice
    except MarginUnreachable:
        pick, kept = recommend(view, replace(asked, economics=None)).choice, False
    return Blended(asked, pick, _mix((kind.share, kind.usage) for kind in pick.kinds), kept)


def mix_of(workload: Workload) -> Mix:
    """Return the tokens of a mean request wherever it runs, reasoning included.

    Raises:
        InvalidInput: it has none.
    """
    usages = usages_on(workload, Traits(reasons=workload.habits.reasoning_multiplier != 1))
    return _mix(zip((request.share for request in workload.requests), usages, strict=True))


def _mix(kinds: Iterable[tuple[Fraction, Usage]]) -> Mix:
    tokens_in = tokens_out = Fraction()
    for share, usage in kinds:
        tokens_in += share * usage.input_tokens
        tokens_out += share * usage.output_tokens
    if not tokens_in + tokens_out:
        raise InvalidInput("workload", "a task whose requests have tokens is needed")
    return Mix(tokens_in, tokens_out)
