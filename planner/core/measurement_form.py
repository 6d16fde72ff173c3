"""A measurement as it is stored: a JSON document with counts as integers and money as decimal text."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from planner.core.measurement import Attempt, Claimed, Measurement
from planner.core.money import pico_text, plain, to_pico
from planner.core.usage import Usage

VERSION = 1
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_PLAIN = ("expected_input_tokens", "expected_output_tokens", "first_us", "last_us", "whole_us", "pieces",
          "reasoning_seen", "error")  # fmt: skip


def write_measurement(measurement: Measurement) -> dict[str, Any]:
    """Write a measurement; the offer and the moment have columns of their own."""
    claimed = measurement.claimed
    return {
        "version": VERSION,
        "prompts": measurement.prompts,
        "plan": measurement.plan,
        "task": measurement.task,
        "claimed": {
            "ttft_ms": claimed.ttft_ms,
            "throughput_tps": _text(claimed.throughput_tps),
            "cache_hit_share": _text(claimed.cache_hit_share),
            "uptime": _text(claimed.uptime),
            "price_version": claimed.price_version,
        },
        "attempts": [_attempt(attempt) for attempt in measurement.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    usage = attempt.usage
    return {
        "started_at": attempt.started_at.isoformat(),
        **{name: getattr(attempt, name) for name in _PLAIN},
        "usage": None if usage is None else {name: getattr(usage, name) for name in TOKENS},
        "stated_usd": _text(attempt.stated_usd),
        "list_usd": None if attempt.list_pico is None else pico_text(attempt.list_pico),
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def read_measurement(document: Mapping[str, Any], offer: str, measured_at: datetime) -> Measurement:
    """Read what `write_measurement` wrote."""
    claimed = document["claimed"]
    return Measurement(
        offer=offer,
        measured_at=measured_at,
        prompts=document["prompts"],
        plan=document["plan"],
        task=document["task"],
        claimed=Claimed(
            ttft_ms=claimed["ttft_ms"],
            throughput_tps=_number(claimed["throughput_tps"]),
            cache_hit_share=_number(claimed["cache_hit_share"]),
            uptime=_number(claimed["uptime"]),
            price_version=claimed["price_version"],
        ),
        attempts=tuple(_read_attempt(written) for written in document["attempts"]),
    )


def _read_attempt(written: Mapping[str, Any]) -> Attempt:
    usage, listed = written["usage"], _number(written["list_usd"])
    return Attempt(
        started_at=datetime.fromisoformat(written["started_at"]),
        **{name: written[name] for name in _PLAIN},
        usage=None if usage is None else Usage(**usage),
        stated_usd=_number(written["stated_usd"]),
        # Written from whole units of 1e-12 USD, so nothing is rounded here.
        list_pico=None if listed is None else to_pico(Fraction(listed)),
    )
