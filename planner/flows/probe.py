"""Testing offers in one's own flow: who may be probed, what that may cost at most, the probing, and its record."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from planner.core import checks
from planner.core.catalogue import Catalogue
from planner.core.cost import cost
from planner.core.errors import InvalidInput, NotFound, NothingCompliant, UnknownPolicy, Unpriced
from planner.core.measurement import Attempt, Claimed, Measurement
from planner.core.money import PICO, ceiling_text
from planner.core.offer import Kind, Offer
from planner.core.policy import Policy
from planner.core.price import Context, PriceCard
from planner.core.units import Unit
from planner.core.worst_case import attempt_usd_max
from planner.flows.answer import offer_named, stored_task
from planner.flows.current import Current
from planner.flows.plans import review
from planner.flows.prompts import OWN, Prompt
from planner.sources import openrouter, probing
from planner.sources.endpoints import Endpoint
from planner.sources.feed import Progress
from planner.sources.probing import Call, Limits
from planner.store import audit, measurements
from planner.store.engine import Connection, Store
from planner.store.publish import turn_page
from planner.store.registry import load_names

EndpointOf = Callable[[Offer], Endpoint | None]
Allowed = Callable[[Offer], bool]
KeyOf = Callable[[Endpoint], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An offer that may be probed: where, under which tag of its broker, and what each prompt may cost at most, USD."""

    offer: Offer
    card: PriceCard
    endpoint: Endpoint
    tag: str | None
    factor: Fraction
    usd_max: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is going to be sent to whom. ``refused`` maps the offers that are left out to the codes that say why.

    ``bound``: whether the policy decided who is asked, so that brokers are held to it as well.
    """

    plan: str
    task: str
    policy: Policy
    bound: bool
    prompts: tuple[Prompt, ...]
    kind_of_prompts: str
    targets: tuple[Target, ...]
    refused: Mapping[str, tuple[str, ...]]

    @property
    def usd_max(self) -> Fraction:
        """What all of it may cost at most."""
        return sum((usd for target in self.targets for usd in target.usd_max), Fraction())


@dataclass(slots=True)
class Purse:
    """A cap on what may be spent, USD: an attempt begins only where its worst case still fits beside all others'."""

    cap_usd: Fraction
    spent_usd: Fraction = Fraction(0)
    reserved_usd: Fraction = Fraction(0)

    def reserve(self, usd: Fraction) -> bool:
        """Set the worst case of an attempt aside; False where it does not fit any more."""
        if self.spent_usd + self.reserved_usd + usd > self.cap_usd:
            return False
        self.reserved_usd += usd
        return True

    def settle(self, reserved: Fraction, spent: Fraction) -> None:
        """Put what an attempt has cost in the place of its worst case."""
        self.reserved_usd -= reserved
        self.spent_usd += spent


@dataclass(slots=True)
class Outcome:
    """What came of a run: every attempt by offer, and how many were not made, by offer and why."""

    purse: Purse
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)


def prepare(  # noqa: D417  # the names say the rest
    store: Store, catalogue: Catalogue, *, plan: str, task: str, policy: Policy, offers: Sequence[str],
    prompts: Sequence[Prompt], kind_of_prompts: str, endpoint_of: EndpointOf, any_offer: bool, at: datetime,
) -> Run:  # fmt: skip
    """Decide who is probed with which prompts, and bound what that costs. Nothing is sent.

    Args:
        any_offer: also offers that the policy refuses; a task's own prompts never reach those.

    Raises:
        InvalidInput: own prompts for offers that the policy refuses.
        NotFound: no offer has exactly this id.
        NothingCompliant: every offer is left out.
    """
    if any_offer and kind_of_prompts == OWN:
        raise InvalidInput("any_offer", "own prompts go only where the policy lets them")
    with store.read() as connection:
        names = load_names(connection, openrouter.CHANNEL)
    targets, refused = [], {}
    for id_ in dict.fromkeys(offers):
        offer = offer_named(catalogue, id_)
        card, endpoint = catalogue.card(id_, at), endpoint_of(offer)
        tag = openrouter.pinned_tag(id_, offer.facts, names) if offer.facts.channel == openrouter.CHANNEL else None
        codes = [
            *_standing(offer, card, endpoint, at),
            *(() if any_offer else catalogue.refusals_by(policy, offer, at)),
            *_pinning(catalogue, offer, tag),
        ]
        if codes or card is None or endpoint is None:
            refused[id_] = tuple(codes)
            continue
        # A discount may end while this runs; what fees add does not fall.
        factor = catalogue.factor(offer, at)
        usd_max = tuple(
            attempt_usd_max(prompt.input_tokens_max, prompt.max_tokens, card.rates, "standard")
            * max(factor, Fraction(1))
            for prompt in prompts
        )
        targets.append(
            Target(offer=offer, card=card, endpoint=endpoint, tag=tag, factor=factor, usd_max=usd_max)
        )  # fmt: skip
    if not targets:
        counts = Counter(codes[0] for codes in refused.values())
        raise NothingCompliant(policy=policy.name, considered=len(refused), refused=counts)
    return Run(
        plan=plan, task=task, policy=policy, bound=not any_offer,
        prompts=tuple(prompts), kind_of_prompts=kind_of_prompts, targets=tuple(targets), refused=refused,
    )  # fmt: skip


def _standing(offer: Offer, card: PriceCard | None, endpoint: Endpoint | None, at: datetime) -> Iterator[str]:
    """Yield why an offer cannot be probed, whatever the policy says."""
    facts = offer.facts
    if card is None or not {Unit.INPUT, Unit.OUTPUT} & card.rates.keys():
        yield "unpriced"
    elif checks.half_priced(facts.kind, card.rates):
        yield "half_priced"
    yield from checks.standing_codes(offer, at)
    if facts.kind is not Kind.CHAT:
        yield "needs:kind"
    # A broker's tag names the tier; a provider's own API would have to be asked for it, each in its own words.
    if facts.service_tier != "standard" and facts.channel == "direct":
        yield "needs:service_tier"
    if endpoint is None:
        yield "no_endpoint"


def _pinning(catalogue: Catalogue, offer: Offer, tag: str | None) -> Iterator[str]:
    """Yield why a broker cannot be told to serve by this offer alone: then it is not known what was measured."""
    facts = offer.facts
    if facts.channel != openrouter.CHANNEL:
        # Other brokers choose the upstream themselves; only a provider's own API is the offer by itself.
        if facts.channel != "direct":
            yield "not_pinned"
        return
    seat = (facts.channel, facts.provider, facts.model_spelling)
    others = (
        other for other in catalogue.offers
        if other.id != offer.id and (other.facts.channel, other.facts.provider, other.facts.model_spelling) == seat
    )  # fmt: skip
    # The bare word of a provider means all of its variants.
    if tag is None or ("/" not in tag and any(others)):
        yield "not_pinned"


def execute(  # noqa: D417  # the names say the rest
    run: Run, keys: KeyOf, *, allowed: Allowed, concurrency: int, now: Callable[[], datetime], progress: Progress,
    outcome: Outcome, limits: Limits = probing.DEFAULT,
) -> None:  # fmt: skip
    """Send every prompt to every offer, in turn, so that all of them are asked in the same minutes.

    Args:
        allowed: asked before every request: what an admin has forbidden meanwhile gets no further prompt.
        keys: the key of an API; every key is looked up before anything is sent.
        outcome: what is filled while it runs, so that what was paid for is not lost when it is stopped.

    Raises:
        InvalidInput: a key is missing, or the cap is below what a single attempt may cost.
    """
    held = {target.endpoint: keys(target.endpoint) for target in run.targets}
    least = min(usd for target in run.targets for usd in target.usd_max)
    if least > outcome.purse.cap_usd:
        raise InvalidInput("spend_cap_usd", f"one attempt may cost {ceiling_text(least, 6)} USD already")
    asyncio.run(
        _all(run, held, outcome, allowed=allowed, concurrency=concurrency, now=now, progress=progress, limits=limits)
    )


def still_allowed(run: Run, current: Current, now: Callable[[], datetime]) -> Allowed:
    """Return who may be sent the prompts of a run by the newest policies and evidence, at any moment of it."""

    def allowed(offer: Offer) -> bool:
        if not run.bound:
            return True
        catalogue = current.view().catalogue
        try:
            plan, task = stored_task(catalogue, run.plan, run.task)
            policy = catalogue.policy_of((*plan.policies, *task.policies))
            return not catalogue.refusals_by(policy, offer_named(catalogue, offer.id), now())
        except (NotFound, UnknownPolicy):
            return False

    return allowed


async def _all(
    run: Run, keys: Mapping[Endpoint, str], outcome: Outcome, *, allowed: Allowed, concurrency: int,
    now: Callable[[], datetime], progress: Progress, limits: Limits,
) -> None:  # fmt: skip
    waiting = deque((place, target) for place in range(len(run.prompts)) for target in run.targets)
    total, done, stopped = len(waiting), 0, set[str]()

    async def work() -> None:
        nonlocal done
        while waiting:
            place, target = waiting.popleft()
            id_, usd_max = target.offer.id, target.usd_max[place]
            why = "request_refused" if id_ in stopped else None
            # A newer catalogue takes a second to load, during which others go on being timed.
            if why is None and not await asyncio.to_thread(allowed, target.offer):
                why = "policy"
            if why is None and not outcome.purse.reserve(usd_max):
                why = "spend_cap"
            if why is None:
                call = call_of(run, target, run.prompts[place], keys[target.endpoint])
                made = _priced(await probing.attempt(client, call, now, limits), target)
                outcome.purse.settle(usd_max, spent(made, target, usd_max))
                outcome.attempts.setdefault(id_, []).append(made)
                # A wrong key or name does not get better by being repeated.
                if not made.counts:
                    stopped.add(id_)
            else:
                outcome.left_out.setdefault(id_, Counter())[why] += 1
            done += 1
            progress(done, total)

    async with probing.opened(concurrency, limits) as client:
        await asyncio.gather(*(work() for _ in range(concurrency)))


def call_of(run: Run, target: Target, prompt: Prompt, key: str) -> Call:
    """Return the request that sends a prompt to an offer, and to no other."""
    endpoint, facts = target.endpoint, target.offer.facts
    body: dict[str, Any] = {
        "model": facts.model_spelling,
        "messages": [dict(message) for message in prompt.messages],
        "stream": True,
        endpoint.max_tokens: prompt.max_tokens,
    }
    if endpoint.stream_options:
        body["stream_options"] = {"include_usage": True}
    if target.tag is not None:
        rules = run.policy.rules if run.bound else ()
        body["provider"] = {
            "only": [target.tag],
            "allow_fallbacks": False,
            **({"data_collection": "deny"} if any(rule.deny_training for rule in rules) else {}),
            **({"zdr": True} if any(rule.require_zdr for rule in rules) else {}),
        }
        body["usage"] = {"include": True}
    return Call(
        base_url=endpoint.base_url, key=key, body=body, expected_input_tokens=prompt.expected_input_tokens,
        expected_output_tokens=prompt.expected_output_tokens,
    )  # fmt: skip


def _priced(attempt: Attempt, target: Target) -> Attempt:
    if attempt.usage is None:
        return attempt
    try:
        found = cost(attempt.usage, target.card.rates, attempt.started_at, Context(region=target.offer.facts.region))
    except Unpriced:
        return attempt
    return replace(attempt, list_pico=found.total_pico)


def spent(attempt: Attempt, target: Target, usd_max: Fraction) -> Fraction:
    """Return what an attempt has cost, USD; its worst case where the bill is not known, for it may come yet."""
    if attempt.usage is None:
        return Fraction() if (attempt.error or "").startswith("http_4") or attempt.error == "redirect" else usd_max
    by_card = usd_max if attempt.list_pico is None else Fraction(attempt.list_pico, PICO) * target.factor
    return by_card if attempt.stated_usd is None else max(by_card, Fraction(attempt.stated_usd))


def measured(run: Run, outcome: Outcome, at: datetime) -> list[Measurement]:
    """Return what the attempts say of every offer about which they say anything."""
    made = (
        Measurement(
            offer=target.offer.id,
            measured_at=at,
            attempts=tuple(outcome.attempts.get(target.offer.id, ())),
            claimed=Claimed.of(target.offer, target.card.id),
            prompts=run.kind_of_prompts,
            plan=run.plan,
            task=run.task,
        )
        for target in run.targets
    )
    return [measurement for measurement in made if measurement.counted]


def record(store: Store, made: Sequence[Measurement], *, at: datetime, actor: str, reason: str) -> list[int]:
    """Record measurements, all or none, as a revision of the catalogue; return their numbers."""

    def story(connection: Connection) -> list[int]:
        numbers = []
        for measurement in made:
            before = measurements.newest(connection, measurement.offer, None, 1)
            numbers.append(measurements.write(connection, measurement, by=actor))
            after = {
                "measurement": numbers[-1], "attempts": len(measurement.counted), "failures": measurement.failures,
                "ttft_ms": measurement.ttft_ms(Fraction(1, 2)), "prompts": measurement.prompts,
            }  # fmt: skip
            audit.record(
                connection, at=at, actor=actor, action="offer.measure", subject=measurement.offer,
                before={"measurement": before[0].id} if before else None, after=after, reason=reason,
            )  # fmt: skip
        turn_page(connection, at=at, actor=actor, reason=f"{len(numbers)} offers measured: {reason}")
        review(connection, at)
        return numbers

    return store.tell(story) if made else []
