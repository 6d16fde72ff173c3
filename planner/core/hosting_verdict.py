"""API or machines of one's own: the rule and its reasons, in codes and in words.

The rule is the one planner was founded on: start with APIs; host a model yourself only for privacy, for a model you
tuned, or for a fixed workload. Money alone never decides for machines; it decides between them and an API where one
of the three reasons stands.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from planner.core.money import ratio_text, usd_text
from planner.core.selfhost import BreakEven, Fleet

API, SELF_HOST, EITHER = "api", "self_host", "either"


class Reason(NamedTuple):
    """One reason of a verdict: a stable code, and a sentence."""

    code: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a verdict is about. ``api_usd_per_month`` None: no offer may be used at all.

    ``privacy_required``: prompts should not leave machines you control. ``fine_tuned_model``: the task needs weights
    of your own. ``fixed_workload``: the volume is known and steady for months.
    """

    fleet: Fleet
    api_usd_per_month: Fraction | None
    break_even: BreakEven | None
    peak_to_mean: Fraction = Fraction(1)
    utilisation_max: Fraction = Fraction(1)
    privacy_required: bool = False
    fine_tuned_model: bool = False
    fixed_workload: bool = False


def decide(case: Case) -> tuple[str, tuple[Reason, ...]]:
    """Return ``api``, ``self_host`` or ``either``, and why, what decides first.

    Without a usable offer there is nothing to choose. Privacy and weights of one's own are reasons that money can
    balance, so a cheaper API makes it ``either``; a fixed workload is a reason only where it pays. A workload that
    would be cheaper at home without any of the three reasons is ``either``: it was not asked to stay that large.
    """
    stated = tuple(_stated(case))
    if case.api_usd_per_month is None:
        says = "no offer of the catalogue passes the policy and the needs, so there is no API to compare with"
        return SELF_HOST, (Reason("nothing_compliant", says), *stated)
    here, there = case.fleet.usd_per_month, case.api_usd_per_month
    cheaper = here <= there
    reasons = (*stated, _money(here, there), *_shape(case))
    if case.privacy_required or case.fine_tuned_model:
        return (SELF_HOST if cheaper else EITHER), reasons
    if case.fixed_workload:
        return (SELF_HOST if cheaper else API), reasons
    start = Reason("no_founding_reason", "neither privacy, nor a tuned model, nor a fixed workload asks for machines")
    return (EITHER if cheaper else API), (start, *reasons)


def _stated(case: Case) -> list[Reason]:
    says = {
        "privacy_required": "prompts should not leave machines you control",
        "fine_tuned_model": "the task needs weights of your own, which no offer of the catalogue is known to serve",
        "fixed_workload": "the volume is stated to be known and steady, so machines can be kept busy",
    }
    return [Reason(code, words) for code, words in says.items() if getattr(case, code)]


def _money(here: Fraction, there: Fraction) -> Reason:
    if here <= there:
        says = f"at this volume your own machines cost {usd_text(_cents(there - here))} USD a month less"
        return Reason("self_host_cheaper", says)
    return Reason("api_cheaper", f"at this volume the API costs {usd_text(_cents(here - there))} USD a month less")


def _cents(usd: Fraction) -> Fraction:
    return Fraction(round(usd * 100), 100)


def _shape(case: Case) -> list[Reason]:
    found = []
    if case.break_even is None:
        says = "every token costs more here than by the API, beside the rent: no volume pays"
        found.append(Reason("never_breaks_even", says))
    elif not case.break_even.feasible:
        required, reachable = case.break_even.required_utilisation, case.break_even.reachable_utilisation
        if required > 1:
            says = f"to break even, a replica would have to serve {ratio_text(required, 1)} times what it can"
        else:
            busy = f"replicas would have to be busy {_percent(required)} % of the time"
            says = f"to break even, {busy}; a load of this shape reaches {_percent(reachable)} %"
        found.append(Reason("utilisation_out_of_reach", says))
    if 1 / case.peak_to_mean < case.utilisation_max:
        says = (
            f"the peak is {ratio_text(case.peak_to_mean, 1)} times the mean, so machines that serve it are busy at most"
            f" {_percent(1 / case.peak_to_mean)} % of the time"
        )
        found.append(Reason("bursty_load", says))
    return found


def _percent(share: Fraction) -> str:
    return ratio_text(share * 100, 1)
