"""Spellings become models by curated rows and documented grammar, on the recorded feeds, and never by likeness."""

import csv
import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.claim import Claim
from planner.core.decode import DECODERS, Place, decode
from planner.core.identity import canonical_model, new_ids
from planner.core.offer import Kind, OfferFacts
from planner.flows.seeds import curated_rows
from planner.flows.setup import install
from planner.places import seeds_dir
from planner.store.aliases import settle
from planner.store.engine import Store
from planner.store.load import aliases_of, load_catalogue
from planner.store.registry import write_curated
from tests.data import shared
from tests.sources.golden import parse

SAMPLE = Path(__file__).parent / "golden" / "identity_sample.csv"
LITELLM = "litellm/litellm_prices_v1.109.1.json.gz"
OPENROUTER = [
    "openrouter/or_endpoints_allmodels_2026-07-01.json.gz",
    "openrouter/or_endpoints_allmodels_2026-07-22.json.gz",
]
# Whoever makes or serves models under names of its own. Left out: brokers and resellers that name no weights
# (aihubmix, kyma), Alibaba's other storefronts, and hosts of fewer than five chat rows.
LISTED = {
    "ai21", "alibaba", "amazon-bedrock", "anthropic", "azure", "baseten", "cerebras", "cloudflare", "cohere",
    "databricks", "deepinfra", "deepseek", "digitalocean", "fireworks", "friendli", "github-copilot", "gmicloud",
    "google-ai-studio", "google-vertex", "groq", "hyperbolic", "lambda-ai", "minimax", "mistral", "moonshotai",
    "nebius", "novita", "nscale", "oci", "openai", "ovhcloud", "perplexity", "replicate", "sambanova", "scaleway",
    "snowflake", "tencent", "together", "vercel", "wandb", "watsonx", "xai", "z-ai",
}  # fmt: skip
# Below 80 % because most of their rows name no weights that stay: -latest, families without a version, betas.
MOVING = {"ai21", "alibaba", "deepseek", "google-ai-studio", "mistral", "snowflake", "vercel", "watsonx", "xai"}


@cache
def aliases() -> dict[Place, str]:
    """Read the curated spellings; registered models are spelled by OpenRouter as they are."""
    curated = {(row["namespace"], row["spelling"]): row["model_id"] for row in curated_rows(seeds_dir())["aliases"]}
    return {**{("openrouter", model): model for model in models()}, **curated}


@cache
def models() -> frozenset[str]:
    """List the registered models."""
    return frozenset(row["id"] for row in curated_rows(seeds_dir())["models"])


def claims(feed: str, recording: str) -> tuple[Claim, ...]:
    """Read a recorded feed with its adapter; the test skips where the recordings are absent."""
    return parse(feed, gzip.decompress(shared(recording).read_bytes())).claims


def model_of(facts: OfferFacts) -> str | None:
    """Resolve an offer as the catalogue does."""
    return canonical_model(facts.channel, facts.provider, facts.model_spelling, aliases())


def decoded(place: Place) -> list[Place]:
    """List every place decoding leads to, in order."""
    found = []
    while (step := decode(*place)) is not None:
        found.append(place := step)
    return found


def sample() -> list[dict[str, str]]:
    """Read the blind sample."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.mark.parametrize("recording", OPENROUTER)
def test_openrouter_offers_resolve(recording: str) -> None:
    """At least 95 % of the offers are of a registered model."""
    offers = claims("openrouter", recording)
    settled = [claim for claim in offers if model_of(claim.facts) in models()]
    assert len(settled) >= 0.95 * len(offers) > 800


def test_litellm_chat_rows_resolve() -> None:
    """At least 85 % of the listed providers' rows with mode=chat are of a registered model; the target is 80 %."""
    entries = json.loads(gzip.decompress(shared(LITELLM).read_bytes()))
    chat = {key: row for key, row in entries.items() if row.get("mode") == "chat"}
    read = [claim.facts for key in chat for claim in parse("litellm", json.dumps({key: chat[key]}).encode()).claims]
    listed = [facts for facts in read if facts.provider in LISTED]
    total = Counter(facts.provider for facts in listed)
    settled = Counter(facts.provider for facts in listed if model_of(facts) in models())
    assert set(total) == LISTED
    assert settled.total() >= 0.85 * total.total() > 2000
    assert {provider for provider, rows in total.items() if settled[provider] < 0.8 * rows} == MOVING


def test_whatever_resolves_is_registered() -> None:
    """A curated row or a decoder never leads to a model that nobody described."""
    assert set(aliases().values()) <= models()


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (("amazon-bedrock", "us.anthropic.claude-opus-5"), ("amazon-bedrock", "anthropic.claude-opus-5")),
        (("amazon-bedrock", "us-gov.nvidia.nemotron-nano-12b-v2"), ("amazon-bedrock", "nvidia.nemotron-nano-12b-v2")),
        (("amazon-bedrock", "eu-west-3/deepseek.v3.2"), ("amazon-bedrock", "deepseek.v3.2")),
        (("amazon-bedrock", "*/1-month-commitment/a.b"), ("amazon-bedrock", "a.b")),
        (("amazon-bedrock", "6-month-commitment/a.b"), ("amazon-bedrock", "a.b")),
        (("amazon-bedrock", "us-east-1/us.anthropic.claude-opus-5"), ("amazon-bedrock", "anthropic.claude-opus-5")),
        (("amazon-bedrock", "us.deepseek"), None),
        (("amazon-bedrock", "us.us.anthropic.claude-opus-5"), None),
        (("amazon-bedrock", "us.eu.anthropic.claude-opus-5"), None),
        (("amazon-bedrock", "us-east-1/eu-west-3/a.b"), None),
        (("azure", "eu/us/gpt-4o"), None),
        (("cloudflare", "@cf/@cf/meta/llama-3"), None),
        (("databricks", "databricks-databricks-dbrx"), None),
        (("amazon-bedrock", "mars.anthropic.claude-opus-5"), None),
        (("azure", "global-standard/gpt-4o"), ("azure", "gpt-4o")),
        (("azure", "gpt-4o-2024-08-06"), ("openai", "gpt-4o-2024-08-06")),
        (("azure", "o3"), ("openai", "o3")),
        (("azure", "o3de"), None),
        (("azure", "gpt-oss-120b"), None),
        (("azure", "gpt-5.2-chat-latest"), None),
        (("azure", "mars/gpt-4o"), None),
        (("cloudflare", "@cf/qwen/qwq-32b"), ("cloudflare", "qwen/qwq-32b")),
        (("cloudflare", "@hf/thebloke/codellama-7b-instruct-awq"), None),
        (("databricks", "databricks-gpt-5-4"), ("databricks", "gpt-5-4")),
        (("databricks", "system.ai.kimi-k3"), ("databricks", "kimi-k3")),
        (("digitalocean", "openai-gpt-4o"), ("openai", "gpt-4o")),
        (("digitalocean", "openai-gpt-oss-120b"), None),
        (("fireworks", "accounts/fireworks/models/kimi-k3"), ("fireworks", "kimi-k3")),
        (("fireworks", "accounts/somebody/models/kimi-k3"), None),
        (("fireworks", "accounts/fireworks/routers/kimi-k3-fast"), None),
        (("google-ai-studio", "models/gemini-2.5-pro"), ("google-ai-studio", "gemini-2.5-pro")),
        (("google-vertex", "vertex_ai/claude-opus-5"), ("google-vertex", "claude-opus-5")),
        (("google-vertex", "claude-opus-5@default"), ("google-vertex", "claude-opus-5")),
        (("google-vertex", "claude-3-opus@20240229"), None),
        (("google-vertex", "mistral-large@latest"), None),
        (("oci", "google.gemini-2.5-pro"), ("google-ai-studio", "gemini-2.5-pro")),
        (("oci", "meta.llama-3.3-70b-instruct"), None),
        (("oci", "xai."), None),
        (("snowflake", "openai-gpt-4.1"), ("openai", "gpt-4.1")),
        (("snowflake", "claude-4-opus"), None),
        (("openai", "gpt-4o-2024-08-06"), None),
    ],
)  # fmt: skip
def test_a_decoder_takes_off_what_its_page_defines(place: Place, found: Place | None) -> None:
    """One step; what has another shape is left alone."""
    assert decode(*place) == found


@pytest.mark.parametrize("namespace", DECODERS)
def test_a_decoder_cites_its_page(namespace: str) -> None:
    """The grammar is somebody's, and the docstring says where it is written down."""
    text = DECODERS[namespace].__doc__ or ""
    assert re.search(r"Source:\n\s+https://", text)


def test_decoders_know_the_registered_providers() -> None:
    """A decoder belongs to a namespace that has curated rows, and leads to one."""
    namespaces = {namespace for namespace, _spelling in aliases()}
    assert set(DECODERS) <= namespaces


def test_no_decoder_contradicts_a_curated_row() -> None:
    """Where a person and a decoder both answer, they agree; some six hundred rows are read both ways."""
    both = 0
    for place, model in aliases().items():
        answers = [aliases()[step] for step in decoded(place) if step in aliases()]
        both += bool(answers)
        assert set(answers) <= {model}, place
    assert both > 500


def test_an_id_that_pins_one_of_several_snapshots_is_not_the_model() -> None:
    """No two snapshot dates stand for the same model, whoever spells them."""
    days: dict[str, set[str]] = defaultdict(set)
    for (namespace, spelling), model in aliases().items():
        if (found := re.search(r"-(20\d\d-\d\d-\d\d)$", spelling)) and namespace in ("openai", "azure"):
            days[model].add(found[1])
    several = {model: pins for model, pins in days.items() if len(pins) > 1}
    # Azure dates its copy of the one snapshot a day later than OpenAI, and LiteLLM lists both.
    assert several == {"openai/gpt-5.5": {"2026-04-23", "2026-04-24"}}


@pytest.mark.parametrize(
    ("provider", "spelling"),
    [
        ("deepseek", "deepseek-chat"), ("deepseek", "deepseek-reasoner"), ("deepseek", "deepseek-v4-flash"),
        ("mistral", "mistral-large-latest"), ("mistral", "codestral-latest"), ("alibaba", "qwen-plus"),
        ("google-ai-studio", "gemini-flash-latest"), ("google-vertex", "mistral-large@latest"),
        ("azure", "model-router"), ("azure", "chat-latest"), ("oci", "cohere.command-latest"),
        ("openai", "ft:gpt-4o-2024-08-06"), ("openai", "gpt-5.6"), ("fireworks", "accounts/fireworks/routers/auto"),
        ("amazon-bedrock", "anthropic.claude-3-7-sonnet-20240620-v1:0"), ("together", "deepseek-ai/DeepSeek-V3"),
        ("digitalocean", "llama3-8b-instruct"), ("snowflake", "snowflake-llama-3.3-70b"),
        ("vercel", "mistral/ministral-3b"), ("openai", "chat-latest"),
    ],
)  # fmt: skip
def test_a_name_that_moves_or_misleads_stays_pending(provider: str, spelling: str) -> None:
    """Names without fixed weights, fine-tunes, routers, misspelt ids and names that say less than they mean."""
    assert canonical_model("direct", provider, spelling, aliases()) is None


def look_alikes() -> list[Place]:
    """Sixty spellings that a person would take for known ones: twelve distortions of five spellings."""
    known = [
        ("amazon-bedrock", "eu.anthropic.claude-opus-4-7"),
        ("azure", "eu/gpt-4.1-nano"),
        ("databricks", "databricks-claude-opus-4-8"),
        ("fireworks", "accounts/fireworks/models/deepseek-v3p2"),
        ("oci", "xai.grok-code-fast-1"),
    ]
    # The Cyrillic and Greek letters, the full-width and the combining character are the point.
    distorted: list[Callable[[str], str]] = [
        str.upper,
        str.title,
        lambda text: text.replace("-", "_"),
        lambda text: text.replace("a", "а"),  # noqa: RUF001
        lambda text: text.replace("e", "е").replace("o", "о"),  # noqa: RUF001
        lambda text: text.replace("o", "ο").replace("e", "ε"),  # noqa: RUF001
        lambda text: text.replace("-", "‑").replace(".", "․"),  # noqa: RUF001
        lambda text: text[:2] + "\u200b" + text[2:],
        lambda text: text[:-1] + "\u200d" + text[-1],
        lambda text: text + "\u0301",
        lambda text: text + " ",
        lambda text: "\ufeff" + text,
    ]
    return [(namespace, distort(spelling)) for namespace, spelling in known for distort in distorted]


def test_no_look_alike_resolves() -> None:
    """Case, zero-width characters and letters of other alphabets: none of sixty is taken for the real one."""
    places = look_alikes()
    assert len(set(places)) == 60
    assert not [place for place in places if canonical_model("direct", *place, aliases()) is not None]


# Words of the grammars, so that random text gets past the first character.
_PIECES = st.sampled_from([
    "eu.", "us-gov.", "eu-west-1/", "*/", "1-month-commitment/", "eu/", "global/", "gpt-4o", "o3", "-latest", "@cf/",
    "@default", "databricks-", "system.ai.", "openai-", "accounts/fireworks/models/", "models/", "vertex_ai/", "xai.",
    "cohere.", "a.b",
])  # fmt: skip


@given(
    namespace=st.sampled_from(sorted(DECODERS)),
    spelling=st.lists(_PIECES | st.text(max_size=4), max_size=8).map("".join),
)
def test_a_decoder_invents_nothing_and_ends(namespace: str, spelling: str) -> None:
    """Each step answers with a part of what came in, and there are no more steps than characters."""
    place, steps = (namespace, spelling), 0
    while (step := decode(*place)) is not None:
        assert step[1]
        assert step[1] in place[1]
        place, steps = step, steps + 1
        assert steps <= len(spelling)


def test_a_blind_sample_is_right() -> None:
    """Of 200 spellings drawn at random from all that resolved, at least 99 % mean the model they were given.

    Drawn with ``random.Random(200)`` from the 3,697 pairs of namespace and spelling that resolved in the recorded
    LiteLLM, models.dev and genai-prices feeds (OpenRouter's own ids are canonical by definition). The model was written
    down from the spelling alone, without sight of the answer, and the two were compared; what nobody could tell for
    certain counts as wrong.
    """
    verdicts = Counter(row["verdict"] for row in sample())
    assert verdicts.total() == 200
    assert set(verdicts) <= {"right", "wrong"}
    assert verdicts["right"] >= 0.99 * verdicts.total()


def test_the_blind_sample_still_resolves_as_judged() -> None:
    """What was right stays; what was wrong is not said again."""
    for row in sample():
        channel = row["provider"] if row["provider"] in ("vercel", "requesty") else "direct"
        answer = canonical_model(channel, row["provider"], row["spelling"], aliases())
        assert (answer == row["model"]) == (row["verdict"] == "right"), row


LOOK_ALIKES = (
    "deepseek/DeepSeek-V3.2", "DEEPSEEK/deepseek-v3.2", "DeepSeek/deepseek-v3.2", "deep.seek/deepseek-v3.2",
    "deepseek/deep-seek-v3.2", "deepseek/deepseek-v3-2", "deepseek/deepseek_v3.2", "deepseek/deepseekv3.2",
    "deep-seek/deepseek-v3.2", "deepseek/deepseek-v32", "deepseek", "deepseek/", "/deepseek-v3.2",
    "deepseek//deepseek-v3.2", "deepseek/deepseek-v3.2/", "deepseek/deepseek-v3.2@x", "deepseek/deepseek-v3.2+",
)  # fmt: skip


def test_no_look_alike_becomes_a_model_by_itself() -> None:
    """An id that differs from a known one by case or punctuation, or is written otherwise, waits for a person."""
    assert new_ids([*LOOK_ALIKES, "deepseek/deepseek-v3.2"], models()) == []
    assert new_ids(["acme/brand-new-1", "acme/brand-new.1", "acme/other"], models()) == ["acme/other"]
    assert [spelling for spelling in LOOK_ALIKES if canonical_model("openrouter", "x", spelling, aliases())] == []
    assert canonical_model("openrouter", "x", "deepseek/deepseek-v3.2:free", aliases()) == "deepseek/deepseek-v3.2"


def test_an_upgrade_leaves_alone_what_a_person_settled(store: Store) -> None:
    """Settled otherwise, or taken back, a spelling stays so; what planner itself corrects is on the audit trail."""
    rows = curated_rows(seeds_dir())
    places = [("openai", "gpt-4o", "openai/gpt-4o-mini"), ("openai", "gpt-4.1", None)]
    at = datetime(2026, 11, 24, tzinfo=UTC)

    def spelled() -> dict[Place, str]:
        with store.read() as connection:
            return {place: model for place, model in aliases_of(connection).items() if place[0] == "openai"}

    install(store, at, bundle=False)
    store.tell(lambda connection: settle(connection, places, at=at, actor="ada", reason="ours"))
    before = spelled()
    assert (before["openai", "gpt-4o"], before.get(("openai", "gpt-4.1"))) == ("openai/gpt-4o-mini", None)
    upgraded = [
        {**row, "model_id": "openai/o3"} if row["spelling"] == "gpt-4o-mini" and row["namespace"] == "openai" else row
        for row in rows["aliases"]
    ]
    changed = store.tell(lambda connection: write_curated(connection, {"aliases": upgraded}))
    assert changed == [("openai", "gpt-4o-mini", "openai/gpt-4o-mini", "openai/o3")]
    assert spelled() == {**before, ("openai", "gpt-4o-mini"): "openai/o3"}


def test_requestys_offers_resolve() -> None:
    """Every recorded row but one, whose context variant nobody described."""
    body = shared("requesty/requesty_models_2026-09-20_9rec.json").read_bytes()
    found = {claim.facts.model_spelling: model_of(claim.facts) for claim in parse("requesty", body).claims}
    assert [spelling for spelling, model in found.items() if model is None] == ["inkling-256k"]


def test_base_weights_are_not_for_chat(installed: Store) -> None:
    """What was never taught to chat is of another kind, whatever a list calls it."""
    with installed.read() as connection:
        catalogue = load_catalogue(connection)
    kinds = {offer.model: offer.facts.kind for offer in catalogue.offers}
    bases = [id_ for id_, model in catalogue.models.items() if "(base)" in model.name and id_ in kinds]
    assert len(bases) > 10
    assert {kinds[id_] for id_ in bases} == {Kind.COMPLETION}
