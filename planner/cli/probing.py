"""Probing on the command line: what would be sent, a progress bar while it is, and what came of it."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from planner.api.measurements import measurement_shape
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.opened import file_bytes, now, read_settings, store_of
from planner.core.errors import InvalidInput
from planner.core.money import ceiling_text, parse_decimal
from planner.core.offer import Offer
from planner.flows import answer, probe
from planner.flows.current import Current, View
from planner.flows.probe import EndpointOf, Outcome, Purse, Run
from planner.flows.prompts import GENERATED, OWN, generated, read_own
from planner.places import seeds_dir
from planner.sources.endpoints import Endpoint, Endpoints, check_variable, own_endpoint
from planner.store import measurements

EXIT_NOTHING_MEASURED = 1
USD_PLACES = 6
_LEFT, _RIGHT = "left", "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of a run, as they were given."""

    plan: str | None
    task: str | None
    offers: tuple[str, ...]
    prompts: Path | None
    attempts: int
    cap: str
    concurrency: int
    any_offer: bool
    base_url: str | None
    key_env: str | None
    reason: str
    dry_run: bool


def run(asked: Asked, *, as_json: bool) -> None:
    """Probe, record and print; exit 1 when nothing could be measured."""
    if asked.plan is None or asked.task is None:
        raise InvalidInput("plan", "--plan and --task are needed")
    cap = Fraction(parse_decimal(asked.cap, field="spend_cap_usd"))
    endpoint_of = _endpoints(asked)
    settings, present = read_settings(), now()
    store = store_of(settings)
    current = Current(store, settings.pepper(), now)
    view = current.view()
    catalogue = view.catalogue
    plan, task = answer.stored_task(catalogue, asked.plan, asked.task)
    if asked.prompts is None:
        prompts = generated(task.workload, asked.attempts, secrets.token_hex(4))
    else:
        prompts = read_own(file_bytes(asked.prompts, "prompts"), task.workload, asked.attempts)
    made = probe.prepare(
        store, catalogue, plan=plan.id, task=task.id, policy=catalogue.policy_of((*plan.policies, *task.policies)),
        offers=asked.offers or _chain(view, plan.id, task.id, settings.default_policy), prompts=prompts,
        kind_of_prompts=GENERATED if asked.prompts is None else OWN, endpoint_of=endpoint_of,
        any_offer=asked.any_offer, at=present,
    )  # fmt: skip
    if asked.dry_run:
        _print_plan(made, cap, as_json=as_json)
        return
    for id_, codes in made.refused.items():
        show.note(f"not probed: {id_}: {', '.join(codes)}")
    outcome = Outcome(Purse(cap))
    numbers: list[int] = []
    try:
        with _bar() as bar:
            line = bar.add_task("probing", total=None)
            probe.execute(
                made, key_of, allowed=probe.still_allowed(made, current, now), concurrency=asked.concurrency, now=now,
                outcome=outcome,
                progress=lambda done, total: bar.update(line, completed=done, total=total),
            )  # fmt: skip
    finally:
        # What was paid for is on record, also where somebody pressed Ctrl-C.
        found = probe.measured(made, outcome, now())
        numbers = probe.record(store, found, at=now(), actor="cli", reason=asked.reason)
    with store.read() as connection:
        kept = [measurements.newest(connection, one.offer, None, 1)[0] for one in found]
    _print_outcome(made, outcome, [measurement_shape(one) for one in kept], as_json=as_json)
    if not numbers:
        raise SystemExit(EXIT_NOTHING_MEASURED)


def _chain(view: View, plan: str, task: str, default_policy: str) -> list[str]:
    """Return what the task is told to use now, and its fallbacks.

    Raises:
        NoAnswer: it is told nothing.
    """
    ask = answer.ask_of(view.catalogue, answer.Question(plan=plan, task=task), default_policy, now())
    found = answer.recommend(view, ask)
    return [pick.offer.id for pick in (found.choice, *found.fallbacks)]


def _endpoints(asked: Asked) -> EndpointOf:
    if asked.base_url is not None:
        if asked.key_env is None:
            raise InvalidInput("key_env", "another API has a key of its own: --base-url goes with --key-env")
        own = own_endpoint(asked.base_url, asked.key_env)
        return lambda _offer: own
    table, variable = Endpoints(seeds_dir()), asked.key_env
    if variable is None:
        return lambda offer: table.of(offer.facts)
    check_variable(variable)

    def renamed(offer: Offer) -> Endpoint | None:
        found = table.of(offer.facts)
        return None if found is None else found.under(variable)

    return renamed


def key_of(endpoint: Endpoint) -> str:
    """Return the key of an API from the environment.

    Raises:
        InvalidInput: it is not there, or is no key. What is there is not repeated.
    """
    key = os.environ.get(endpoint.key_variable, "")
    if not key:
        raise InvalidInput(
            endpoint.key_variable, f"not in the environment; the key for {endpoint.base_url} is read there"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput(endpoint.key_variable, "what the environment holds there cannot be a key")
    return key


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=show.err, disable=not show.err.is_terminal)


def _run_shape(made: Run, cap: Fraction) -> Shape:
    return {
        "plan": made.plan,
        "task": made.task,
        "policy": made.policy.name,
        "policy_version": made.policy.version,
        "prompts": made.kind_of_prompts,
        "attempts_per_offer": len(made.prompts),
        "spend_cap_usd": _usd(cap),
        "worst_case_usd": _usd(made.usd_max),
        "offers": [
            {
                "offer": target.offer.id,
                "base_url": target.endpoint.base_url,
                "pinned_to": target.tag,
                "key_variable": target.endpoint.key_variable,
                "worst_case_usd_per_attempt": _usd(max(target.usd_max)),
                "worst_case_usd": _usd(sum(target.usd_max, Fraction())),
            }
            for target in made.targets
        ],
        "refused": {id_: list(codes) for id_, codes in made.refused.items()},
    }


def _usd(usd: Fraction) -> str:
    return ceiling_text(usd, USD_PLACES)


def _print_plan(made: Run, cap: Fraction, *, as_json: bool) -> None:
    shape = _run_shape(made, cap)
    if as_json:
        show.json_out({"dry_run": True, **shape})
        return
    policy = f"under policy {shape['policy']} v{shape['policy_version']}" if made.bound else "whatever the policy says"
    show.table(
        f"{shape['prompts']} prompts of {made.plan}/{made.task}, {policy}",
        [
            ("offer", _LEFT), ("asked at", _LEFT), ("key from", _LEFT), ("attempts", _RIGHT),
            ("worst case USD/attempt", _RIGHT), ("worst case USD", _RIGHT),
        ],
        [
            (
                row["offer"], row["base_url"], row["key_variable"], shape["attempts_per_offer"],
                row["worst_case_usd_per_attempt"], row["worst_case_usd"],
            )
            for row in shape["offers"]
        ],
    )  # fmt: skip
    for id_, codes in made.refused.items():
        show.line(f"not probed: {id_}: {', '.join(codes)}")
    show.line(f"worst case {shape['worst_case_usd']} USD, spend cap {shape['spend_cap_usd']} USD; nothing was sent")


def _print_outcome(made: Run, outcome: Outcome, rows: Sequence[Shape], *, as_json: bool) -> None:
    purse = outcome.purse
    left_out = {id_: dict(counts) for id_, counts in outcome.left_out.items()}
    if as_json:
        spent = {"spent_usd_max": _usd(purse.spent_usd), "left_out": left_out, "measurements": list(rows)}
        show.json_out({"dry_run": False, **_run_shape(made, purse.cap_usd), **spent})
        return
    print_measurements(f"{made.kind_of_prompts} prompts of {made.plan}/{made.task}", rows)
    measured = {row["offer"] for row in rows}
    for id_, attempts in outcome.attempts.items():
        if id_ not in measured:
            show.line(f"not measured: {id_}: {', '.join(sorted({str(attempt.error) for attempt in attempts}))}")
    for id_, counts in left_out.items():
        show.line(f"not sent: {id_}: {', '.join(f'{why} {count}' for why, count in counts.items())}")
    show.line(f"spent      {_usd(purse.spent_usd)} USD at most, of {_usd(purse.cap_usd)} USD")


def print_measurements(title: str, rows: Sequence[Shape]) -> None:
    """Print measurements as a table, and every figure that is off its claim."""
    show.table(
        title,
        [
            ("offer", _LEFT), ("measured", _LEFT), ("attempts", _RIGHT), ("failed", _RIGHT), ("TTFT ms p50", _RIGHT),
            ("p95", _RIGHT), ("tokens/s p50", _RIGHT), ("USD by card", _RIGHT), ("USD stated", _RIGHT),
        ],
        [
            (
                row["offer"], str(row["measured_at"])[:19] + "Z", row["attempts"], row["failures"], row["ttft_ms_p50"],
                row["ttft_ms_p95"], row["throughput_tps_p50"], row["list_cost_usd"], row["stated_cost_usd"],
            )
            for row in rows
        ],
    )  # fmt: skip
    for row in rows:
        for found in row["comparisons"]:
            if found["verdict"] != "as_claimed":
                show.line(f"{row['offer']}: {_off(found)}")


def _off(found: Mapping[str, str | None]) -> str:
    said = f"{found['figure']} {found['measured']}, claimed {found['claimed']}"
    return (
        f"{said}: {found['verdict']} by a factor of {found['ratio']}"
        if found["ratio"]
        else f"{said}: {found['verdict']}"
    )


def list_measurements(offer: str | None, limit: int, *, as_json: bool) -> None:
    """Print what was measured, newest first."""
    with store_of(read_settings()).read() as connection:
        rows = [measurement_shape(kept) for kept in measurements.newest(connection, offer, None, limit)]
    if as_json:
        show.json_out(rows)
        return
    print_measurements("measured", rows)
