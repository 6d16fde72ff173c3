"""Broker, one provider or several: which way to take, by how far the product is, and why, in words and figures.

A prototype wants one key for everything and can bear a small surcharge and one hop more. An internal tool wants
nobody in between who does not save anything worth it. Production wants no single provider, and no single broker, that
can take it down. Where the policy leaves one way only, that decides, and the verdict says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from planner.core.controls import CONTROLS, GATEWAY, PIN, needed
from planner.core.money import ratio_text, usd_text
from planner.core.paths import Paths, Reach, Way
from planner.core.policy import Policy
from planner.core.terms import DIRECT

BROKER, SINGLE, SEVERAL = "broker", "single_provider", "several_providers"
PROTOTYPE, INTERNAL = "prototype", "internal"
# Beyond a quarter more, one key for everything is no small surcharge; below a tenth less, a broker in between saves
# too little for the second party that sees every prompt.
SURCHARGE_SHARE_MAX, SAVING_SHARE_MIN = Fraction(1, 4), Fraction(1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which way to take. ``run`` says who executes the chain: ``direct`` (your code), ``gateway`` or a broker's id.

    ``chain`` is what to call, in order; ``reasons`` say why, ``cautions`` what the verdict does not give.
    """

    take: str
    run: str
    chain: tuple[Reach, ...]
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()


def verdict(paths: Paths) -> Verdict:
    """Say which way to take."""
    brokers = tuple(way for way in paths.brokers if _pinned(way, paths.ask.policy))
    if paths.direct is None and not brokers:
        # Whoever cannot be held to the provider is better than nobody, and is told as a caution.
        brokers = paths.brokers
    only = _only(paths, brokers)
    stage = paths.setting.stage
    if stage == PROTOTYPE:
        return _prototype(paths, brokers, only)
    if stage == INTERNAL:
        return _internal(paths, brokers, only)
    return _production(paths, brokers, only)


def _pinned(way: Way, policy: Policy) -> bool:
    """Tell whether a broker can be held to the provider that was judged; a policy that asks nothing needs no pin."""
    nothing = needed(policy) == (PIN,) and all(rules.allow_unknown for rules in policy.rules)
    return nothing or PIN not in way.not_enforced


def _only(paths: Paths, brokers: Sequence[Way]) -> tuple[str, ...]:
    """Return the reason that leaves one way alone, if one does."""
    left = [way for way in (paths.direct, *brokers) if way is not None]
    if len(left) > 1:
        return ()
    (alone,) = left
    others = [way for way in paths.ways if way is not alone and (way.refused or way.same is not None)]
    if not others:
        return (f"{_name(alone)} is the only way anybody offers to this model",)
    told = "; ".join(f"{_name(way)}: {_why_not(way)}" for way in others[:5])
    more = f"; and {len(others) - 5} more" if len(others) > 5 else ""  # noqa: PLR2004  # as many as were told
    policies = any(code.startswith("policy:") for way in others for code in way.refused)
    asked = f"policy {paths.ask.policy.name} can be met" if policies else "the question can be met"
    return (f"{asked} only through {_name(alone)}, which decides ({told}{more})",)


def _why_not(way: Way) -> str:
    if way.same is None:
        return ", ".join(f"{code} {count}" for code, count in way.refused.items())
    return "margin" if not way.same.affordable else "it cannot be held to one provider"


def _prototype(paths: Paths, brokers: Sequence[Way], only: tuple[str, ...]) -> Verdict:
    direct = paths.direct
    if not brokers:
        return _single(paths, (*only, "a prototype would take a broker, and none is left"))
    broker = brokers[0]
    if direct is not None and paths.cost(broker) > paths.cost(direct) * (1 + SURCHARGE_SHARE_MAX):
        said = f"{_name(broker)} is more than a small surcharge away: {_compared(paths, broker)}"
        return _single(paths, (*only, said))
    reasons = (*only, "a prototype wants one key for every model and provider", _compared(paths, broker))
    return _through(paths, broker, (*reasons, _hop(broker)), BROKER)


def _internal(paths: Paths, brokers: Sequence[Way], only: tuple[str, ...]) -> Verdict:
    direct = paths.direct
    if direct is None:
        return _through(paths, brokers[0], (*only, "nobody serves it directly under the policy and the margin"), BROKER)
    if brokers and paths.cost(brokers[0]) <= paths.cost(direct) * (1 - SAVING_SHARE_MIN) and brokers[0].fee_known:
        said = "an internal tool can stand on one way, and the broker saves enough to go through it"
        return _through(paths, brokers[0], (*only, said, _compared(paths, brokers[0]), _hop(brokers[0])), BROKER)
    reasons = [*only, "an internal tool can stand on one provider, with nobody else who sees its prompts"]
    reasons += [f"a broker would not pay: {_compared(paths, way)}" for way in brokers[:1]]
    return _single(paths, tuple(reasons))


def _production(paths: Paths, brokers: Sequence[Way], only: tuple[str, ...]) -> Verdict:
    direct = paths.direct
    own = {} if direct is None else direct.upstreams
    wanted = max(2, paths.ask.fallbacks + 1)
    said = "production wants no single provider that can take it down"
    if len(own) > 1:
        chain = tuple(own.values())[:wanted]
        counted = f"{len(own)} independent upstreams serve it directly under the policy and the margin"
        run, more = _runner(paths, brokers)
        dearer = [f"through a broker: {_compared(paths, way)}" for way in brokers[:1]]
        return Verdict(
            take=SEVERAL, run=run, chain=chain, reasons=(*only, said, counted, *dearer, more),
            cautions=(f"{len(chain)} contracts and keys are needed, one for each provider",),
        )  # fmt: skip
    mixed = dict(own)
    for way in brokers:
        for upstream, reach in way.upstreams.items():
            mixed.setdefault(upstream, reach)
    chain = tuple(mixed.values())[:wanted]
    if len(chain) == 1:
        missing = "no second upstream passes the policy and the margin: when this one is down, so are you"
        alone = _single(paths, (*only, said)) if own else _through(paths, brokers[0], (*only, said), SINGLE)
        return Verdict(take=SINGLE, run=alone.run, chain=chain, reasons=alone.reasons, cautions=(missing,))
    channels = {reach.offer.facts.channel for reach in chain}
    through = next(way for way in brokers if way.channel.id in channels)
    counted = f"{len(own)} upstreams serve it directly, {len(mixed)} with brokers"
    run = through.channel.id if channels == {through.channel.id} else DIRECT
    cautions = _missing(through)
    if run != DIRECT:
        cautions += (f"{_name(through)} itself is then the one party that can take it down",)
    reasons = (*only, said, counted, _compared(paths, through), _hop(through))
    return Verdict(take=SEVERAL, run=run, chain=chain, reasons=reasons, cautions=cautions)


def _runner(paths: Paths, brokers: Sequence[Way]) -> tuple[str, str]:
    """Say who executes a chain of direct offers: a gateway of one's own where it pays, else one's own code."""
    running, gateway = paths.gateway_usd_per_period, paths.setting.gateway
    if running is None:
        return DIRECT, "your own code falls back; a gateway would do it for you, and what it costs to run was not said"
    least, customers = paths.gateway_customers_min(brokers), paths.setting.customers
    price = f"{usd_text(running)} USD a {paths.setting.period} and {gateway.overhead_ms} ms a request"
    if least is None:
        return DIRECT, f"your own code falls back; a gateway of your own would do it for {price}"
    if customers is not None and customers >= least:
        return GATEWAY, f"a gateway of your own executes it for {price}; from {least} customers on a broker costs more"
    return DIRECT, f"your own code falls back; a gateway of your own ({price}) pays from {least} customers on"


def _single(paths: Paths, reasons: tuple[str, ...]) -> Verdict:
    direct = paths.direct
    if direct is None or direct.same is None:
        raise AssertionError("a single provider is only named where one is reached directly")
    said = f"{direct.same.offer.facts.provider} directly: {usd_text(paths.cost(direct))} USD {_each(paths)}"
    return Verdict(take=SINGLE, run=DIRECT, chain=(direct.same,), reasons=(*reasons, said))


def _through(paths: Paths, way: Way, reasons: tuple[str, ...], take: str) -> Verdict:
    count = len(way.upstreams)
    passing = "independent upstream passes" if count == 1 else "independent upstreams pass"
    behind = f"{count} {passing} the policy and the margin behind one key"
    chain = tuple(way.upstreams.values())[: paths.ask.fallbacks + 1]
    return Verdict(
        take=take,
        run=way.channel.id,
        chain=chain,
        reasons=(*reasons, behind),
        cautions=(*_missing(way), *_unknown(way)),
    )


def _missing(way: Way) -> tuple[str, ...]:
    row = CONTROLS.get(way.channel.id)
    if row is None and way.not_enforced:
        return (f"nobody has written down what {_name(way)} can be held to",)
    if way.not_enforced:
        return (f"{_name(way)} is not known to enforce: {', '.join(way.not_enforced)}; only the pin holds it",)
    return ()


def _unknown(way: Way) -> tuple[str, ...]:
    return () if way.fee_known else (f"what {_name(way)} charges on top is not known, and unknown is not free",)


def _compared(paths: Paths, way: Way) -> str:
    """Say what a broker costs, beside the direct way if there is one."""
    cost, surcharge = paths.cost(way), paths.surcharge(way)
    said = f"{_name(way)} costs {usd_text(cost)} USD {_each(paths)}"
    if surcharge is None or paths.direct is None:
        return f"{said}; no direct way to compare"
    base = paths.cost(paths.direct)
    share = f" ({ratio_text(abs(surcharge) / base * 100, 1)} %)" if base else ""
    word = "less" if surcharge < 0 else "more"
    total = paths.setting.customers
    together = f", {usd_text(abs(surcharge) * total)} USD over {total} customers" if total is not None else ""
    return f"{said}, {usd_text(abs(surcharge))} USD{share} {word} than directly{together}"


def _hop(way: Way) -> str:
    added = way.overhead_ms
    if added is None:
        return f"one hop more; how long {_name(way)} takes is not published, so measure it"
    return f"one hop more, about {added} ms a request"


def _each(paths: Paths) -> str:
    return f"per customer and {paths.setting.period}"


def _name(way: Way) -> str:
    return "the direct way" if way.direct else way.channel.name
