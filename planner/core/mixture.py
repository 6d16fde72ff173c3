"""Two offers for one task: how many requests a budget lets go to the strong one, and who decides which those are.

A *mixture* sends a share of the requests to the strong offer and the rest to the cheap one. A *router* looks at a
request and picks; a *cascade* asks the cheap one first, lets a judge look at the answer, and escalates what fails.

Source:
    FrugalGPT (arXiv 2305.05176) for cascades, RouteLLM (arXiv 2406.18665) for routers calibrated to a share of strong
    calls. An escalated request of a cascade costs both answers, and takes the time of both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from planner.core.errors import InvalidInput
from planner.core.money import floor_text, ratio_text, usd_text


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the two offers: what a request costs in USD, its score on one index, and its seconds to the last token.

    None is not known.
    """

    cost_usd: Fraction
    score: Fraction | None = None
    seconds: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who decides: what a look at one request costs in USD, and how long it takes."""

    cost_usd: Fraction = Fraction(0)
    seconds: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        """Refuse looks that cost less than nothing."""
        if self.cost_usd < 0:
            raise InvalidInput("cost_usd", "must not be negative")


FREE = Decider()


@dataclass(frozen=True, slots=True)
class Way:
    """What a way of serving comes to, per request: expected cost in USD, expected score and expected seconds."""

    cost_usd: Fraction
    score: Fraction | None
    seconds: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A strong and a cheap offer for the same requests.

    Example:
        The strong offer costs 1.05 cents, the cheap one a thirteenth of it; $4.12 pay for 1,000 requests.

        >>> pair = Pair(strong=Arm(Fraction("0.0105")), cheap=Arm(Fraction("0.000775")))
        >>> float(round(pair.share_max(Fraction("0.00412")), 3))
        0.344
        >>> float(round(pair.escalated_share_break_even(), 3))
        0.926
    """

    strong: Arm
    cheap: Arm

    def share_max(self, budget_usd: Fraction, router: Decider = FREE) -> Fraction | None:
        """Return the largest share of requests a budget per request lets go to the strong offer, from 0 to 1.

        None where not even the cheap offer alone, with the router's look at every request, is within the budget.
        """
        spare = budget_usd - self.cheap.cost_usd - router.cost_usd
        if spare < 0:
            return None
        dearer = self.strong.cost_usd - self.cheap.cost_usd
        return Fraction(1) if dearer <= spare else spare / dearer

    def escalated_share_max(self, budget_usd: Fraction, judge: Decider = FREE) -> Fraction | None:
        """Return the largest share of requests a cascade may escalate under a budget per request, from 0 to 1.

        None where a cascade is beyond the budget even if nothing is escalated.
        """
        spare = budget_usd - self.cheap.cost_usd - judge.cost_usd
        if spare < 0:
            return None
        return Fraction(1) if self.strong.cost_usd <= spare else spare / self.strong.cost_usd

    def escalated_share_break_even(self, judge: Decider = FREE) -> Fraction:
        """Return the escalated share below which a cascade costs less than the strong offer alone.

        Zero or less where it never does: the cheap answer and the judge's look cost as much as the strong answer.
        """
        if not self.strong.cost_usd:
            return Fraction(0)
        return 1 - (self.cheap.cost_usd + judge.cost_usd) / self.strong.cost_usd

    def routed(self, share: Fraction, router: Decider = FREE) -> Way:
        """Return what a router that sends a share to the strong offer comes to; a free one is a plain mixture."""
        cheap, strong = self.cheap, self.strong
        return Way(
            cost_usd=router.cost_usd + share * strong.cost_usd + (1 - share) * cheap.cost_usd,
            score=_weighed(share, strong.score, cheap.score),
            seconds=_plus(router.seconds, _weighed(share, strong.seconds, cheap.seconds)),
        )

    def cascaded(self, share: Fraction, judge: Decider = FREE) -> Way:
        """Return what a cascade that escalates a share comes to.

        Accepted answers count with the cheap offer's own score, which is what they have if the judge picks no better
        than chance: a lower bound for a judge worth its cost.
        """
        cheap, strong = self.cheap, self.strong
        return Way(
            cost_usd=cheap.cost_usd + judge.cost_usd + share * strong.cost_usd,
            score=_weighed(share, strong.score, cheap.score),
            seconds=_plus(judge.seconds, _weighed(share, strong.seconds, Fraction(0)), cheap.seconds),
        )

    def cost_left(self, share: Fraction) -> Fraction | None:
        """Return the share of the cost of the strong offer alone that a mixture still costs; None where that is 0."""
        return None if not self.strong.cost_usd else self.routed(share).cost_usd / self.strong.cost_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do with a pair, and why, in sentences.

    ``verdict`` is ``strong_alone``, ``cheap_alone``, ``best_alone`` (a third offer, by itself), ``fixed_share`` (send
    the affordable share to the strong offer), ``router`` or ``cascade``.
    """

    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a pair is weighed for. ``budget_usd`` is per request, None without a target margin.

    ``escalated_share`` of the requests need the strong offer; None where nobody has measured it.
    """

    budget_usd: Fraction | None = None
    escalated_share: Fraction | None = None
    router: Decider = FREE
    judge: Decider = FREE

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if self.escalated_share is not None and not 0 <= self.escalated_share <= 1:
            raise InvalidInput("escalated_share", "a share from 0 to 1 is needed")

    def affords(self, cost_usd: Fraction) -> bool:
        """Tell whether a cost per request keeps the margin."""
        return self.budget_usd is None or cost_usd <= self.budget_usd


def advise(pair: Pair, asked: Aim, alone: Arm | None = None) -> Advice:
    """Choose between the two offers, the ways to serve with both, and ``alone``, the best that keeps the margin alone.

    Where it is known which share needs the strong offer, the cheapest way within the budget is chosen, unless one offer
    alone is as good and no dearer; the strong offer alone is one of the ways, and of equal costs the quicker comes
    first. Where it is not known, quality goes first: the strong offer alone if the margin allows it, else whichever
    scores higher, the share of it that the margin allows or the best offer alone.
    """
    share = None if asked.budget_usd is None else pair.share_max(asked.budget_usd, asked.router)
    mixed = None if share is None else pair.routed(share, asked.router).score
    reasons = (*_on_budget(pair, asked, share), *_on_alone(alone, mixed), *_on_cascades(pair, asked))
    if asked.escalated_share is not None:
        ways: dict[str, Arm | Way] = {
            "strong_alone": pair.strong,
            "router": pair.routed(asked.escalated_share, asked.router),
            "cascade": pair.cascaded(asked.escalated_share, asked.judge),
        }
        within = {name: way for name, way in ways.items() if asked.affords(way.cost_usd)}
        if within:
            best = min(within, key=lambda name: within[name].cost_usd)
            if alone is None or not _as_good_and_no_dearer(alone, within[best]):
                return Advice(verdict=best, reasons=reasons)
            return Advice(verdict="best_alone" if alone != pair.cheap else "cheap_alone", reasons=reasons)
    elif asked.affords(pair.strong.cost_usd):
        return Advice(verdict="strong_alone", reasons=reasons)
    if alone is not None and alone.score is not None and (mixed is None or mixed <= alone.score):
        return Advice(verdict="best_alone" if alone != pair.cheap else "cheap_alone", reasons=reasons)
    return Advice(verdict="fixed_share" if share else "cheap_alone", reasons=reasons)


def _as_good_and_no_dearer(alone: Arm, way: Arm | Way) -> bool:
    known = alone.score is not None and way.score is not None
    return known and alone.cost_usd <= way.cost_usd and (alone.score or 0) >= (way.score or 0)


def _on_budget(pair: Pair, asked: Aim, share: Fraction | None) -> Iterator[str]:
    if asked.budget_usd is None:
        yield "no margin is asked, so no budget limits the share of the strong offer"
    elif asked.affords(pair.strong.cost_usd):
        yield "the strong offer alone keeps the margin"
    elif share is None:
        yield "the cheap offer and a look at every request by the router cost more than the budget"
    else:
        yield f"the budget lets {_percent(share)} of the requests go to the strong offer"


def _on_alone(alone: Arm | None, mixed: Fraction | None) -> Iterator[str]:
    if alone is not None and alone.score is not None and mixed is not None:
        told = "more than" if alone.score > mixed else "as much as" if alone.score == mixed else "less than"
        yield (
            f"the best offer that keeps the margin alone scores {ratio_text(alone.score, 1)}, {told} the mixture's "
            f"{ratio_text(mixed, 1)}"
        )


def _on_cascades(pair: Pair, asked: Aim) -> Iterator[str]:
    edge = pair.escalated_share_break_even(asked.judge)
    if edge <= 0:
        yield "a cascade never costs less than the strong offer alone: a cheap answer and the judge cost as much"
    else:
        yield f"a cascade costs less than the strong offer alone while below {_percent(edge)} are escalated"
    if asked.budget_usd is not None:
        most = pair.escalated_share_max(asked.budget_usd, asked.judge)
        if most is None:
            yield "the cheap offer and the judge cost more than the budget"
        elif most < 1:
            yield f"the budget lets a cascade escalate {_percent(most)}"
    if asked.escalated_share is not None:
        routed, cascaded = (
            pair.routed(asked.escalated_share, asked.router), pair.cascaded(asked.escalated_share, asked.judge)
        )  # fmt: skip
        dearer = cascaded.cost_usd - routed.cost_usd
        compared = (
            "as much as" if not dearer else f"{usd_text(abs(dearer))} USD {'more' if dearer > 0 else 'less'} than"
        )
        yield f"at {_percent(asked.escalated_share)} escalated a cascade costs {compared} a router, per request"
        if routed.seconds is not None and cascaded.seconds is not None:
            later = ratio_text(cascaded.seconds - routed.seconds, 3)
            yield f"the cascade takes {later} s longer than the router: an escalated request waits for both answers"


def _percent(share: Fraction) -> str:
    # Shares are limits: rounded down they still hold.
    return f"{floor_text(share * 100, 2)} %"


def _weighed(share: Fraction, one: Fraction | None, other: Fraction | None) -> Fraction | None:
    if one is None or other is None:
        return None
    return share * one + (1 - share) * other


def _plus(*seconds: Fraction | None) -> Fraction | None:
    total = Fraction(0)
    for each in seconds:
        if each is None:
            return None
        total += each
    return total
