"""The bundled models, aliases, scores, tier bands and free offers are readable, consistent and honest."""

import csv
import gzip
import json
import re
import tomllib
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from planner.core.offer import Kind, valid_feed_id
from tests.data import shared

SEEDS = Path(__file__).parent.parent / "seeds"
CANONICAL = re.compile(r"[a-z0-9-]+/[a-z0-9._-]+")
WORD = re.compile(r"[a-z0-9_]+")
# Words at the end of an id that mean "whatever is newest": what they name moves.
MOVING = re.compile(r"(^|[-@/])(latest|experimental)$")
# A moving name may be curated only where it has one target: the vendor's only name, or its only snapshot.
SETTLED = {"only_name", "only_snapshot"}


def table(name: str) -> list[dict[str, str]]:
    """Read a seed table, one dictionary a row, every cell as text; a short or long row is an error."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert rows
    assert all(None not in row and None not in row.values() for row in rows), name
    return rows


def toml(name: str) -> dict[str, list[dict[str, Any]]]:
    """Read a seed file of tables."""
    return tomllib.loads((SEEDS / f"{name}.toml").read_text("utf-8"))


def sources() -> set[str]:
    """List the names of the registered sources."""
    return {source["name"] for source in toml("sources")["source"]}


def models() -> set[str]:
    """List the canonical ids."""
    return {row["id"] for row in table("models")}


def openrouter_models(day: str) -> list[dict[str, Any]]:
    """Read the recorded list of one day; the test skips where the recordings are absent."""
    with_endpoints = day in ("2026-07-01", "2026-07-22")
    name = f"or_endpoints_allmodels_{day}" if with_endpoints else f"or_{day}_models"
    body = json.loads(gzip.decompress(shared(f"openrouter/{name}.json.gz").read_bytes()))
    listed: list[dict[str, Any]] = body["models"] if with_endpoints else body
    return listed


def test_models_are_well_formed_and_unique() -> None:
    """A canonical id is author/slug in lower case, once, with a name, a known kind and a dated source."""
    rows = table("models")
    assert not [model for model, count in Counter(row["id"] for row in rows).items() if count > 1]
    for row in rows:
        assert valid_feed_id(row["id"])
        assert CANONICAL.fullmatch(row["id"]), row["id"]
        assert row["author"] == row["id"].partition("/")[0]
        assert row["name"] == row["name"].strip() != ""
        assert row["open_weights"] in ("yes", "no", "")
        assert Kind(row["kind"])
        assert row["source"] in sources()
        assert row["source_url"].startswith("https://")
        assert row["released"] == "" or date.fromisoformat(row["released"]) <= date.fromisoformat(row["observed_at"])


def test_models_are_sorted() -> None:
    """Rows stand in the order of their keys, so that a change shows as itself."""
    for name, key in (("models", ("id",)), ("aliases", ("namespace", "spelling")), ("free", ("offer",))):
        rows = [tuple(row[column] for column in key) for row in table(name)]
        assert rows == sorted(rows), name


def test_a_spelling_means_one_model_that_exists() -> None:
    """An alias names one registered model, in the namespace of a registered provider or broker."""
    rows = table("aliases")
    known, namespaces = models(), {provider["id"] for provider in toml("providers")["provider"]}
    # A leaderboard names models in words of its own.
    namespaces |= {"arena"}
    assert not [key for key, n in Counter((row["namespace"], row["spelling"]) for row in rows).items() if n > 1]
    for row in rows:
        assert row["model"] in known, row
        assert row["namespace"] in namespaces, row
        assert valid_feed_id(row["spelling"]), row
        assert WORD.fullmatch(row["basis"]), row
        assert row["observed_in"].split(), row
        assert set(row["observed_in"].split()) <= sources(), row


def test_no_alias_follows_a_moving_target() -> None:
    """A name that means "the newest" is left pending, unless it only ever had one target."""
    moving = [row for row in table("aliases") if MOVING.search(row["spelling"]) and row["basis"] not in SETTLED]
    # This canonical model is itself a moving name: OpenRouter listed it under that name and no other.
    assert {row["model"] for row in moving} <= {"openai/chatgpt-4o-latest"}


def test_same_id_is_the_same_id() -> None:
    """The basis `same_id` is given only where the spelling is the canonical id or its slug."""
    for row in table("aliases"):
        if row["basis"] == "same_id":
            assert row["spelling"] in (row["model"], row["model"].partition("/")[2]), row


def test_openrouter_ids_need_no_alias() -> None:
    """OpenRouter's author/slug is canonical by definition; rows exist only for ids recorded without their author."""
    for row in table("aliases"):
        if row["namespace"] == "openrouter":
            assert "/" not in row["spelling"], row
            assert row["model"].partition("/")[2] == row["spelling"].partition(":")[0], row


def test_scores_are_decimals_with_a_date() -> None:
    """A score is a finite decimal of a registered model, dated, once per index, list and source."""
    rows = table("quality")
    known = models()
    keys = Counter((row["model"], row["index"], row["as_of"], row["source"]) for row in rows)
    assert not [key for key, count in keys.items() if count > 1]
    for row in rows:
        assert row["model"] in known, row
        assert WORD.fullmatch(row["index"])
        assert Decimal(row["score"]).is_finite()
        assert Decimal(row["score"]) > 0
        assert row["source"] in sources()
        assert row["source_url"].startswith("https://")
        assert row["note"], "which variant was measured"


def test_a_list_has_one_date() -> None:
    """The rows of one source and index carry the dates of the lists that were read, and no other."""
    dates: dict[str, set[str]] = defaultdict(set)
    for row in table("quality"):
        dates[row["index"]].add(row["as_of"])
    assert dates == {
        "arena_text": {"2025-12-17", "2026-04-19"},
        "artificial_analysis_intelligence": {"2026-07-22"},
        "artificial_analysis_coding": {"2026-07-22"},
    }


def test_price_bands_fall_with_the_tier() -> None:
    """Tier 1 begins above tier 2, and so on, from the first day the catalogue knows."""
    bands = toml("tiers")["price_band"]
    assert [band["tier"] for band in bands] == [1, 2]
    assert {band["valid_from"] for band in bands} == {date(2025, 1, 1)}
    floors = [Decimal(band["output_usd_per_mtok_min"]) for band in bands]
    assert floors == [Decimal(4), Decimal("0.25")]


def test_quality_cut_offs_fall_with_the_tier() -> None:
    """Per index the cut-offs fall with the tier, and rest on an index that has scores of that date."""
    by_index: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for band in toml("tiers")["quality_band"]:
        by_index[band["index"]].append(band)
    scored = {(row["index"], row["as_of"]) for row in table("quality")}
    for index, bands in by_index.items():
        assert [band["tier"] for band in bands] == [1, 2], index
        assert all(Decimal(above["min_score"]) > Decimal(below["min_score"]) for above, below in pairwise(bands))
        for band in bands:
            assert (index, band["as_of"].isoformat()) in scored
            assert band["valid_from"] < band.get("valid_to", date.max)


def test_free_offers_are_variants_for_free() -> None:
    """The flag is given only to variants the broker calls free, of registered models, with the page that says so."""
    known, providers = models(), {provider["id"] for provider in toml("providers")["provider"]}
    for row in table("free"):
        channel, _, rest = row["offer"].partition(":")
        provider, _, spelling = rest.partition("/")
        model, _, variant = spelling.partition("@")[0].partition(":")
        assert (channel, variant) == ("openrouter", "free"), row
        assert provider in providers, row
        assert model in known, row
        assert WORD.fullmatch(row["basis"])
        assert row["source_url"] == f"https://openrouter.ai/api/v1/models/{model}:free/endpoints"
        assert date(2026, 7, 1) <= date.fromisoformat(row["observed_at"]) <= date(2026, 7, 28)


@pytest.mark.parametrize("day", ["2026-07-01", "2026-07-17", "2026-07-22", "2026-07-28"])
def test_every_recorded_openrouter_model_is_registered(day: str) -> None:
    """Every model the broker listed is canonical here; its moving aliases and its routers are not."""
    ids = [model["id"].partition(":")[0] for model in openrouter_models(day)]
    assert ids
    assert {id_ for id_ in ids if not id_.startswith(("~", "openrouter/"))} <= models()


def test_free_offers_cost_nothing_in_the_recorded_list() -> None:
    """Each flagged offer of the newest recorded list is there with every price at zero."""
    day = "2026-07-22"
    priced: dict[str, list[str]] = {}
    for model in openrouter_models(day):
        for endpoint in model["endpoints"]:
            provider, _, rest = endpoint["tag"].partition("/")
            offer = f"openrouter:{provider}/{model['id']}" + (f"@{rest}" if rest else "")
            priced[offer] = [str(price) for unit, price in endpoint["pricing"].items() if unit != "discount"]
    flagged = [row["offer"] for row in table("free") if row["observed_at"] == day]
    assert flagged
    assert all(all(Decimal(price) == 0 for price in priced[offer]) for offer in flagged)


def test_the_founding_essays_models_have_a_dated_score() -> None:
    """The models whose labels the README compares with the essay's are on the list of their time."""
    scores = {row["model"]: Decimal(row["score"]) for row in table("quality") if row["as_of"] == "2025-12-17"}
    cut = next(Decimal(band["min_score"]) for band in toml("tiers")["quality_band"] if band["tier"] == 1)
    near_frontier = ["deepseek/deepseek-chat-v3.1", "deepseek/deepseek-r1", "moonshotai/kimi-k2"]
    second = ["qwen/qwen3-235b-a22b", "openai/gpt-oss-120b"]
    assert all(scores[model] >= cut for model in near_frontier)
    assert all(scores[model] < cut for model in second)
