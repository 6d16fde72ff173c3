"""Ten lists state prices in seven units: each figure becomes the same dollars the vendor's page shows."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.names import ProviderNames
from planner.core.units import Unit
from planner.sources import ADAPTERS
from planner.sources.mapping import Mapped, read_layout
from planner.sources.reading import Unreadable
from planner.sources.scale import WORDS, Scale
from tests.data import shared
from tests.sources.golden import names

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("scale", "figure", "usd_per_mtok"),
    [
        (Scale.USD, Decimal("0.0000025"), "2.5"),
        (Scale.USD_PER_MTOK, Decimal("2.5"), "2.5"),
        (Scale.USD_PER_THOUSAND, Decimal("0.03"), "30"),
        (Scale.CENTS, Decimal("0.000125"), "1.25"),
        (Scale.CENTS, Decimal("9E-5"), "0.9"),
        (Scale.E4_USD_PER_MTOK, 7_000, "0.7"),
        (Scale.E4_USD_PER_MTOK, 20_000, "2"),
        (Scale.USD_PER_MTOK, "0.000000522174", "0.000000522174"),
    ],
)
def test_a_figure_becomes_dollars_exactly(scale: Scale, figure: object, usd_per_mtok: str) -> None:
    """Every digit stays; the documented examples of each vendor come out."""
    assert scale.rate(figure).usd_per_mtok() == usd_per_mtok


@pytest.mark.parametrize("figure", [-1, "NaN", "1e999", True, None, [], "1,5"])
def test_what_is_no_price_is_none(figure: object) -> None:
    """Negative, endless and other things are refused in every unit."""
    for scale in Scale:
        with pytest.raises(Unreadable):
            scale.rate(figure)


LAYOUT = """
name = "{name}"
title = "A list"
licence = "none"
url = "https://list.test/models"
provider = "{name}"
rows = "{rows}"
id = "{id}"
unit = "{unit}"
[prices]
input_token = "{input}"
output_token = "{output}"
[facts]
context_tokens = "context_length"
"""


def layout(tmp_path: Path, **words: str) -> Path:
    """Write a mapping file."""
    path = tmp_path / f"{words['name']}.toml"
    path.write_text(LAYOUT.format(**words))
    return path


LISTS = {
    "novita_v3_openai_models": {
        "rows": "data", "id": "id", "unit": "e4_usd_per_mtok", "input": "input_token_price_per_m",
        "output": "output_token_price_per_m",
    },
    "xai_language_models": {
        "rows": "models", "id": "id", "unit": "e4_usd_per_mtok", "input": "prompt_text_token_price",
        "output": "completion_text_token_price",
    },
    "venice_models": {
        "rows": "data", "id": "id", "unit": "usd_per_mtok", "input": "model_spec.pricing.input.usd",
        "output": "model_spec.pricing.output.usd",
    },
    "nebius_models": {
        "rows": "data", "id": "id", "unit": "usd_per_token", "input": "pricing.prompt", "output": "pricing.completion",
    },
    "sambanova_models": {
        "rows": "data", "id": "id", "unit": "usd_per_token", "input": "pricing.prompt", "output": "pricing.completion",
    },
    "chutes_models": {
        "rows": "data", "id": "id", "unit": "usd_per_mtok", "input": "pricing.prompt", "output": "pricing.completion",
    },
    "deepinfra_v1_openai_models": {
        "rows": "data", "id": "id", "unit": "usd_per_mtok", "input": "metadata.pricing.input_tokens",
        "output": "metadata.pricing.output_tokens",
    },
}  # fmt: skip


@pytest.mark.parametrize("shape", LISTS)
def test_a_list_without_an_adapter_is_read_by_a_mapping_file(tmp_path: Path, shape: str) -> None:
    """Seven vendors' shapes, one file each and no code: every row is priced, and as the vendor's page says."""
    shapes = json.loads(shared("shapes/provider_list_api_shapes.json").read_text())
    mapped = Mapped(read_layout(layout(tmp_path, name="vendor", **LISTS[shape])))
    reading = mapped.parse({mapped.file_url: json.dumps(shapes[shape]).encode()}, ProviderNames(), NOON)
    rows = shapes[shape].get("data") or shapes[shape]["models"]
    assert len(reading.claims) == reading.rows_read == len(rows)
    for claim, row in zip(reading.claims, rows, strict=True):
        assert claim.offer_id == f"direct:vendor/{row['id']}"
        check_expected(claim.segments[0].rates, row)


def check_expected(table: Any, row: dict[str, Any]) -> None:
    """Compare a table with what the recorded shape says it should be, where it says so."""
    wanted = row.get("_expect_usd_per_mtok")
    if wanted is not None:
        assert Decimal(table[Unit.INPUT].base.usd_per_mtok()) == Decimal(str(wanted["input"]))
        assert Decimal(table[Unit.OUTPUT].base.usd_per_mtok()) == Decimal(str(wanted["output"]))


@pytest.mark.parametrize(
    ("source", "shape"), [("deepinfra", "deepinfra_models_list"), ("cerebras", "cerebras_public_v1_models")]
)
def test_recorded_shapes_of_single_providers(source: str, shape: str) -> None:
    """Cents, shares and text become the dollars beside them."""
    shapes = json.loads(shared("shapes/provider_list_api_shapes.json").read_text())
    adapter = ADAPTERS[source]
    reading = adapter.parse({adapter.file_url: json.dumps(shapes[shape]).encode()}, names(source), NOON)
    rows = shapes[shape] if isinstance(shapes[shape], list) else shapes[shape]["data"]
    for claim, row in zip(reading.claims, rows, strict=True):
        check_expected(claim.segments[0].rates, row)


def test_the_recorded_list_of_requesty() -> None:
    """Nine rows, nine prices; retention for 0 days is kept as retention for days nobody knows."""
    adapter = ADAPTERS["requesty"]
    body = shared("requesty/requesty_models_2026-09-20_9rec.json").read_bytes()
    reading = adapter.parse({adapter.file_url: body}, names("requesty"), NOON)
    assert (reading.rows_read, len(reading.claims), reading.refused) == (9, 9, ())
    table = next(c for c in reading.claims if "gpt-5-mini" in c.offer_id).segments[0].rates
    assert table[Unit.INPUT].base.usd_per_mtok() == "0.25"
    keeps = {row.subject: row.retention_days for row in reading.terms if row.retains_prompts}
    assert keeps == {
        "requesty:thinkingmachines/inkling-256k": None,
        "requesty:doubleword/glm-5.2@flex": None,
    }
    assert not any(row.curated for row in reading.terms)


GOOD = {"name": "acme", "rows": "data", "id": "id", "unit": "usd_per_token", "input": "a.b", "output": "a.c"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "acme"', "", "acme.toml: name, problem=Field required"),
        ('name = "acme"', 'name = "own"', "name: own is the name of what people enter"),
        ('name = "acme"', 'name = "correction"', "name: correction is the name of what people enter"),
        ('unit = "usd_per_token"', "", "prices.input_token.unit, or unit for all of them: one of usd_per_token"),
        ("usd_per_token", "bananas", "acme.toml, problem=unit: one of usd_per_token"),
        ('provider = "acme"', "", "either provider or provider_path"),
        (
            'provider = "acme"',
            'provider = "acme"\nprovider_path = "owner"',
            "either provider or provider_path is needed",
        ),
        ('provider = "acme"', 'provider = "a b"', "acme.toml: provider, problem=letters, digits"),
        ("[prices]", "", "acme.toml: prices, problem=Field required"),
        ("[prices]", "[prices", "not TOML: Expected ']' at the end of a table declaration (at line"),
        ("[prices]", "surprise = 1\n[prices]", "acme.toml: surprise, problem=no such key"),
        ("[prices]", "x-y = 1\n[prices]", "acme.toml: x-y, problem=no such key"),
        (
            "[prices]",
            "interval_minutes = 99999999999999999999\n[prices]",
            "interval_minutes, problem=Input",
        ),
        ("[prices]", "stale_after_hours = 99999999999\n[prices]", "stale_after_hours, problem=Input"),
        ("input_token", "input_bananas", "prices.input_bananas: not a unit planner knows; it knows annotated_page"),
        ('"a.b"', "7", "prices.input_token, problem=a path is needed, or a table of path and unit"),
        ('"a.b"', '{ unit = "usd_per_mtok" }', "prices.input_token.path, problem=Field required"),
        ('"a.b"', '{ path = "a", per = 3 }', "prices.input_token.per, problem=no such key"),
        ('"a.b"', '{ path = "a", unit = "pears" }', "prices.input_token.unit, or unit for all of them: one of"),
        ('"a.b"', '""', "prices.input_token.path, problem=names with one dot between them are needed"),
        ('"a.b"', '"a..b"', "prices.input_token.path, problem=names with one dot between them are needed"),
        ('rows = "data"', 'rows = "data."', "rows, problem=names with one dot between them are needed"),
        ('id = "id"', "id = 7", "acme.toml: id, problem=Input should be a valid string"),
        ("context_tokens", "context_bananas", "facts.context_bananas, problem=no such key"),
        ("https://list.test/models", "ftp://list.test/models", "acme.toml: url, problem=an address is needed"),
        ("https://list.test/models", "https://", "acme.toml: url, problem=an address is needed"),
        ("https://list.test/models", "https://li st.test/", "acme.toml: url, problem=an address is needed"),
        ("https://list.test/models", "https://list.test:port/", "acme.toml: url, problem=an address is needed"),
    ],
)
def test_a_mapping_file_says_what_is_wrong_in_it(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A key that is missing, unknown or of another kind is named with its file, and nothing is guessed."""
    path = layout(tmp_path, **GOOD)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InvalidInput) as refused:
        read_layout(path)
    assert said in str(refused.value)


def test_a_mapping_file_that_is_no_text_or_not_there_says_so(tmp_path: Path) -> None:
    """Which of the two it is, with the file's name."""
    path = tmp_path / "acme.toml"
    with pytest.raises(InvalidInput, match=r"acme.toml, problem=cannot be read: No such file"):
        read_layout(path)
    for body, problem in (
        (b"\xff\xfe", "not UTF-8 text"),
        (b"a = " + b"[" * 20_000, "not TOML"),
        (b"a = 1" + b"0" * 5_000, "not TOML"),
    ):
        path.write_bytes(body)
        with pytest.raises(InvalidInput, match=rf"acme.toml, problem={problem}"):
            read_layout(path)


def test_an_object_of_rows_is_counted_whole(tmp_path: Path) -> None:
    """By id, where the key is the id; what is no row is refused by its key and loses nobody."""
    mapped = Mapped(read_layout(layout(tmp_path, **{**GOOD, "id": "$key"})))
    body = json.dumps({"data": {"m": {"a": {"b": "0.1", "c": "0.2"}}, "n": 5, "o": [1]}}).encode()
    reading = mapped.parse({mapped.file_url: body}, ProviderNames(), NOON)
    assert ([claim.facts.model_spelling for claim in reading.claims], reading.rows_read) == (["m"], 3)
    assert [row.code for row in reading.refused] == ["bad_id", "bad_id"]


def test_a_mapping_file_needs_no_unit_where_every_price_has_its_own(tmp_path: Path) -> None:
    """The unit of all is for the prices without one."""
    path = layout(tmp_path, **{**GOOD, "output": "a.c"})
    text = path.read_text().replace('unit = "usd_per_token"\n', "")
    for place in ("a.b", "a.c"):
        text = text.replace(f'"{place}"', f'{{ path = "{place}", unit = "usd_per_mtok" }}')
    path.write_text(text)
    assert {scale for _unit, _place, scale in read_layout(path).priced()} == {Scale.USD_PER_MTOK}


def test_a_mapping_file_may_name_the_provider_by_a_word_of_the_row(tmp_path: Path) -> None:
    """The word is settled by the curated spellings, or stands for itself; another's id is refused."""
    path = layout(tmp_path, **GOOD)
    path.write_text(path.read_text().replace('provider = "acme"', 'provider_path = "owner"\nchannel = "hub"'))
    mapped = Mapped(read_layout(path))
    rows = [
        {"id": "m", "owner": owner, "a": {"b": "0.1", "c": "0.2"}} for owner in ("bolt", "stranger", "taken", 5)
    ] + [{"id": None}, {"id": "n", "owner": "bolt"}]
    known = ProviderNames({"bolt": "bolt-inc"}, ids=frozenset({"taken", "bolt-inc"}))
    reading = mapped.parse({mapped.file_url: json.dumps({"data": rows}).encode()}, known, NOON)
    assert [claim.offer_id for claim in reading.claims] == ["hub:bolt-inc/m", "hub:stranger/m", "hub:bolt-inc/n"]
    assert [row.code for row in reading.refused] == ["ambiguous_provider", "ambiguous_provider", "bad_id"]
    assert reading.claims[2].unpriced == "missing_price"
    assert len(WORDS) == len(Scale)


def test_scores_are_joined_by_the_id_their_own_records_name() -> None:
    """Of several variants of one model the best counts; a record without a name or a figure is refused."""
    adapter = ADAPTERS["artificial_analysis"]

    def row(name: str, model: str | None, score: object) -> dict[str, Any]:
        return {
            "name": name,
            "evaluations": {"artificial_analysis_intelligence_index": score},
            "metadata": {"openrouter_api_id": model},
        }

    rows = [row("M (low)", "acme/m", 10.5), row("M (high)", "acme/m", 20), row("N", None, 9), row("O", "acme/o", None)]
    body = json.dumps({"data": [*rows, row("P", "acme/p", 900)]}).encode()
    reading = adapter.parse({adapter.file_url: body}, ProviderNames(), NOON)
    assert [(score.model, score.score, score.note) for score in reading.scores] == [
        ("acme/m", Decimal(20), "measured as M (high)")
    ]
    assert (reading.rows_read, reading.scored) == (5, 2)
    assert [refused.code for refused in reading.refused] == ["no_model_named", "no_score", "no_score"]


def test_a_leaderboards_names_wait_to_be_settled() -> None:
    """A name that is curated has its score with the list's own date; another is pending, never guessed."""
    adapter = ADAPTERS["arena"]
    board = {
        "meta": {"last_updated": None, "fetched_at": "2026-04-19T04:38:02+00:00"},
        "models": [
            {"model": "m-1", "score": 1505},
            {"model": "M-1", "score": 1503},
            {"model": "m-1", "score": True},
            {"model": "m-1", "score": 9},
        ],
    }
    known = ProviderNames(models={"m-1": "acme/m-1"})
    reading = adapter.parse({adapter.file_url: json.dumps(board).encode()}, known, NOON)
    assert [(score.model, score.as_of.isoformat()) for score in reading.scores] == [("acme/m-1", "2026-04-19")]
    assert [row.code for row in reading.refused] == ["pending_name", "not_expected", "unreadable_score"]


def test_the_recorded_leaderboard_and_list_of_scores() -> None:
    """The arena's fifty names settle to at least twenty models, Artificial Analysis' records to hundreds of scores."""
    import gzip

    from planner.flows.seeds import curated_rows
    from planner.places import seeds_dir

    rows = curated_rows(seeds_dir())["aliases"]
    known = ProviderNames(models={row["spelling"]: row["model_id"] for row in rows if row["namespace"] == "arena"})
    adapter = ADAPTERS["arena"]
    board = adapter.parse({adapter.file_url: shared("quality/arena_text_2026-04-19.json").read_bytes()}, known, NOON)
    assert (board.rows_read, len(board.scores) >= 20) == (50, True)
    body = gzip.decompress(shared("quality/aa_llms_models_2026-07-22.json.gz").read_bytes())
    measured = ADAPTERS["artificial_analysis"].parse({"https://aa.test": body}, ProviderNames(), NOON)
    assert measured.rows_read == 579
    assert len(measured.scores) > 300
