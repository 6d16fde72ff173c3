"""A mapping file: any table of usage or revenue is read by it, and what it says wrong is named."""

import json
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.event import Event, Role, StatedBy
from planner.core.revenue import Item, Kind
from planner.ledger import mapped, mapping
from planner.ledger.format import File, Read, Refused
from planner.ledger.mapping import read_mapping
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.samples import GIVEN, events, jsonl_text, opened, refused, said

(MAPPED,) = mapped.FORMATS
EXAMPLES = [textwrap.dedent(block) for block in (mapping.__doc__ or "").split("::\n")[1:]]
AZURE = """
    kind = "usage"
    id = "row"
    at = "TIMESTAMP"
    at_zone = "UTC"
    [counts]
    input_tokens = "ContextTokens"
    output_tokens = "GeneratedTokens"
    [constants]
    provider = "azure"
    model = "gpt-4"
"""
MOONCAKE = """
    kind = "usage"
    id = "row"
    at = "timestamp"
    at_format = "epoch_ms"
    at_start = "2026-09-01T00:00:00Z"
    [counts]
    input_tokens = "input_length"
    output_tokens = "output_length"
"""
INVOICES = """
    kind = "revenue"
    id = "id"
    customer = "who"
    amount = "total"
    currency = "cur"
    start = "from"
    end = "to"
    at_zone = "UTC"
    tax = "vat"
    [constants]
    item_kind = "invoice"
"""
INVOICE = {"id": "in_1", "who": "acme", "total": "20.00", "cur": "usd", "from": "2026-09-01", "to": "", "vat": "3.19"}


def example(number: int) -> str:
    """Return a mapping as the documentation shows it: the lines that are indented under its colons."""
    lines = EXAMPLES[number].splitlines()
    return "\n".join(line.removeprefix("    ") for line in lines if line.startswith("    ") or not line)


def by(text: str, file: File, **given: Any) -> list[Event]:
    """Read usage by a mapping file."""
    return events(MAPPED, file, replace(GIVEN, mapping=read_mapping(text), **given))


def items(text: str, file: File) -> list[Item]:
    """Read revenue by a mapping file."""
    found = said(MAPPED, file, replace(GIVEN, mapping=read_mapping(text)))
    return [one for one in found if isinstance(one, Item)]


def table(folder: Path, row: dict[str, str]) -> File:
    """Open a table of one row."""
    return opened(folder, f"{','.join(row)}\n{','.join(row.values())}\n")


def test_the_documented_mapping_of_usage_reads_a_trace(tmp_path: Path) -> None:
    """The example of the documentation, on the file it speaks of: an event a row, named by its line."""
    body = 'TIMESTAMP,ContextTokens,GeneratedTokens,user\n2023-11-16 18:17:03.9799600,4808,10,"{""id"":""u1""}"\n'
    assert by(example(0), opened(tmp_path, body)) == [
        Event(
            source="stream",
            id="2",
            at=datetime(2023, 11, 16, 18, 17, 3, 979_960, UTC),
            counts={"input_tokens": 4_808, "output_tokens": 10},
            includes_cached=True,
            provider="azure",
            model="gpt-4",
            customer="u1",
            cache_stated=False,
        )
    ]
    assert (MAPPED.role, MAPPED.mutable) == (Role.LEDGER, False)


def test_the_documented_mapping_of_revenue_reads_smallest_units(tmp_path: Path) -> None:
    """The other example: 2000 cents are 20.00, and 3000 yen are 3000."""
    body = (
        "Invoice,Customer,Total,Currency,Period Start,Period End\n"
        "in_1,cus_1,2000,usd,1788220800,1790812800\n"
        "in_2,cus_2,3000,jpy,1788220800,1790812800\n"
        "in_3,cus_3,3000,KWD,1788220800,1790812800\n"
    )
    first, yen, dinar = items(example(1), opened(tmp_path, body))
    assert first == Item(
        source="stream",
        id="in_1",
        kind=Kind.INVOICE,
        amount=Decimal(20),
        currency="USD",
        start=datetime(2026, 9, 1, tzinfo=UTC),
        end=datetime(2026, 10, 1, tzinfo=UTC),
        customer="cus_1",
    )
    assert (yen.amount, yen.currency) == (Decimal(3_000), "JPY")
    assert (dinar.amount, dinar.currency) == (Decimal(3), "KWD")


def test_a_trace_that_begins_at_0_is_given_its_beginning(tmp_path: Path) -> None:
    """Milliseconds since the start that the mapping names."""
    file = opened(tmp_path, jsonl_text({"timestamp": 1_500, "input_length": 7, "output_length": 2, "hash_ids": [0]}))
    (event,) = by(MOONCAKE, file)
    assert (event.id, event.at) == ("1", datetime(2026, 9, 1, tzinfo=UTC) + timedelta(milliseconds=1_500))


def test_every_column_of_usage_has_its_place(tmp_path: Path) -> None:
    """Texts from their columns, else the constant, else what was given with the file."""
    texts = {name: name.upper() for name in mapping.TEXTS}
    row = {**texts, "REQ": "r", "ID": "i", "AT": "2026-09-01T00:00:00Z", "END": "2026-09-02T00:00:00Z", "IN": "5"}
    row |= {"TOTAL": "6", "USD": "0.5", "READ": "1"}
    columns = "\n".join(f'{name} = "{name}"' for name in texts)
    text = f"""
kind = "usage"
id = "ID"
request_id = "REQ"
at = "AT"
until = "END"
total_tokens = "TOTAL"
stated_usd = "USD"
{columns}
[counts]
input_tokens = "IN"
cache_read_tokens = "READ"
[constants]
stated_by = "provider"
"""
    (event,) = by(text, table(tmp_path, row), plan="given")
    assert {name: getattr(event, name) for name in mapping.TEXTS} == texts
    assert (event.id, event.request_id, event.total_tokens, event.stated_usd) == ("i", "r", 6, Decimal("0.5"))
    assert (event.stated_by, event.aggregate, event.cache_stated) == (StatedBy.PROVIDER, True, True)
    empty = dict.fromkeys(texts, "")
    (event,) = by(text, table(tmp_path, {**row, **empty}), plan="given")
    assert (event.plan, event.channel, event.service_tier, event.model) == ("given", "direct", "standard", None)


def test_a_key_may_lie_inside_objects(tmp_path: Path) -> None:
    """In JSON and in a text that is JSON; a key with a dot in its own name is found first."""
    text = 'kind = "usage"\nid = "a.id"\nat = "a.at"\nat_format = "epoch_s"\n[counts]\ninput_tokens = "u.n.in"'
    row = {"a.id": "flat", "a": {"at": 1_788_256_800, "id": "x"}, "u": '{"n": {"in": 3}}'}
    (event,) = by(text, opened(tmp_path, jsonl_text(row)))
    assert (event.id, event.counts) == ("flat", {"input_tokens": 3})
    found = MAPPED.read(
        opened(tmp_path, jsonl_text({**row, "u": "{secret"})), replace(GIVEN, mapping=read_mapping(text))
    )
    assert refused(found)[0][1] == "u.n.in: not JSON"


def test_the_list_of_rows_may_stand_anywhere_in_a_document(tmp_path: Path) -> None:
    """Under ``data`` by itself, elsewhere by name; the place tells which row it was."""
    row = {"timestamp": 0, "input_length": 7, "output_length": 2}
    assert len(by(MOONCAKE, opened(tmp_path, json.dumps({"data": [row, row]})))) == 2
    text = f'rows = "result.items"\n{textwrap.dedent(MOONCAKE)}'
    given = replace(GIVEN, mapping=read_mapping(text))
    found = list(MAPPED.read(opened(tmp_path, json.dumps({"result": {"items": [row, 1]}})), given))
    assert isinstance(found[0], Read)
    assert found[0].place == "result.items[0]"
    assert refused(found) == [("result.items[1]", "not an object")]
    assert "not there" in refused(MAPPED.read(opened(tmp_path, json.dumps({"result": 1})), given))[0][1]
    lines = opened(tmp_path, jsonl_text({"result": {"items": [row]}}) + "broken\n", "lines.jsonl")
    assert [row.place for row in MAPPED.read(lines, given)] == ["line 1 result.items[0]", "line 2"]


def test_what_was_cached_is_unknown_unless_it_is_counted_or_ruled_out(tmp_path: Path) -> None:
    """Without a column of cached tokens a cost has bounds only; a person may say that nothing was cached."""
    file = table(tmp_path, {"TIMESTAMP": "2026-09-01", "ContextTokens": "5", "GeneratedTokens": "1"})
    assert by(AZURE, file)[0].cache_stated is False
    assert by(f"cache_stated = true\n{textwrap.dedent(AZURE)}", file)[0].cache_stated is True
    assert (by(AZURE, file)[0].includes_cached, by(AZURE, file, includes_cached=False)[0].includes_cached) == (
        None,
        False,
    )


def test_a_column_a_table_does_not_have_is_refused_before_any_row(tmp_path: Path) -> None:
    """A count that is nowhere would be 0 in every row."""
    file = table(tmp_path, {"TIMESTAMP": "2026-09-01", "ContextTokens": "5"})
    with pytest.raises(InvalidInput, match="output_tokens"):
        by(AZURE, file)


def test_a_key_that_no_object_has_is_refused_after_the_last(tmp_path: Path) -> None:
    """Objects may leave a key out, so that one of them shows nothing; all of them do."""
    full, bare = {"timestamp": 0, "input_length": 7, "output_length": 2}, {"timestamp": 0, "input_length": 7}
    given = replace(GIVEN, mapping=read_mapping(MOONCAKE))
    assert refused(MAPPED.read(opened(tmp_path, jsonl_text(bare, full)), given)) == []
    found = list(MAPPED.read(opened(tmp_path, jsonl_text(bare, bare)), given))
    assert found[-1] == Refused("file", "output_tokens: the mapping names a column that no row has")


def test_a_row_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """Without a count and without a cost it would be a request that used nothing; and others go on."""
    body = "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-09-01,,\n,5,1\n2026-09-01,x,1\n2026-09-01,5,\n"
    found = list(MAPPED.read(opened(tmp_path, body), replace(GIVEN, mapping=read_mapping(AZURE))))
    assert [(place, reason.partition(":")[0]) for place, reason in refused(found)] == [
        ("line 2", "counts"),
        ("line 3", "at"),
        ("line 4", "input_tokens"),
    ]
    assert isinstance(found[-1], Read)


def test_a_cost_alone_is_enough(tmp_path: Path) -> None:
    """A bill may have no tokens at all."""
    text = 'kind = "usage"\nid = "n"\nat = "t"\nat_zone = "Europe/Berlin"\nstated_usd = "usd"'
    (event,) = by(text, table(tmp_path, {"n": "1", "t": "2026-07-01 12:00", "usd": "1.5"}))
    assert (event.at, event.counts, event.stated_usd) == (datetime(2026, 7, 1, 10, tzinfo=UTC), {}, Decimal("1.5"))


def test_a_refund_is_positive_however_it_is_written(tmp_path: Path) -> None:
    """And a kind may stand in a column; another currency's spelling is made one."""
    text = INVOICES.replace('[constants]\n    item_kind = "invoice"', 'item_kind = "kind"')
    (item,) = items(text, table(tmp_path, {**INVOICE, "kind": "refund", "total": "-20.00"}))
    assert (item.kind, item.amount, item.currency, item.tax) == (Kind.REFUND, Decimal("20.00"), "USD", Decimal("3.19"))
    (item,) = items(INVOICES, table(tmp_path, {**INVOICE, "total": "-20.00"}))
    assert (item.kind, item.amount, item.end) == (Kind.INVOICE, Decimal("-20.00"), None)


def test_revenue_that_cannot_be_read_is_refused_by_its_field(tmp_path: Path) -> None:
    """No kind that is one, no amount, no currency, no beginning."""
    text = INVOICES.replace('[constants]\n    item_kind = "invoice"', 'item_kind = "kind"')
    given = replace(GIVEN, mapping=read_mapping(text))
    whole = {**INVOICE, "kind": "invoice"}
    for column, field in (
        ("kind", "item_kind"),
        ("total", "amount"),
        ("cur", "currency"),
        ("from", "start"),
        ("id", "id"),
    ):
        ((_place, reason),) = refused(MAPPED.read(table(tmp_path, {**whole, column: ""}), given))
        assert reason.startswith(f"{field}:")
    ((_place, reason),) = refused(MAPPED.read(table(tmp_path, {**whole, "kind": "bribe"}), given))
    assert reason.startswith("item_kind: one of recognised, invoice")


def test_without_a_mapping_nothing_is_read(tmp_path: Path) -> None:
    """No file is ever guessed to be one."""
    file = table(tmp_path, {"a": "1"})
    assert MAPPED.knows(file) is None
    with pytest.raises(InvalidInput, match="a mapping file is needed"):
        MAPPED.read(file, GIVEN)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("= x", "mapping"),
        ("x = " + "[" * 2_000, "mapping"),
        ('kind = "usgae"', "kind"),
        ("", "kind"),
        (AZURE.replace("at_zone", "at_zoen"), "at_zoen"),
        (AZURE.replace("input_tokens", "inptu_tokens"), "inptu_tokens"),
        (AZURE.replace("provider", "providre"), "providre"),
        (AZURE.replace('"row"', "1"), "id"),
        (AZURE.replace('"row"', '""'), "id"),
        (AZURE.replace('id = "row"', ""), "id"),
        (AZURE.replace('at = "TIMESTAMP"', ""), "at"),
        (AZURE.replace('"UTC"', '"Nowhere/Nothing"'), "at_zone"),
        (AZURE.replace('"UTC"', '"../etc/passwd"'), "at_zone"),
        (AZURE.replace('"UTC"', '"Europe"'), "at_zone"),
        (AZURE.replace("[constants]", "[counts.x]"), "x"),
        (AZURE.replace("at_zone", 'provider = "p"\n    at_zone'), "provider"),
        (AZURE.replace("at_zone", 'at_start = "2026-09-01"\n    at_zone'), "at_start"),
        (AZURE.replace("at_zone", "at_shift_days = 1.5\n    at_zone"), "at_shift_days"),
        (AZURE.replace("at_zone", 'includes_cached = "yes"\n    at_zone'), "includes_cached"),
        (AZURE.replace("at_zone", "cache_stated = 1\n    at_zone"), "cache_stated"),
        (AZURE.replace("at_zone", 'at_format = "epoch"\n    at_zone'), "at_format"),
        (AZURE.replace("[constants]", '[constants]\n    stated_by = "me"'), "stated_by"),
        (AZURE.partition("[counts]")[0], "counts"),
        (AZURE.partition("[counts]")[0] + "counts = 1", "counts"),
        (MOONCAKE.replace('"2026-09-01T00:00:00Z"', '"2026-09-01 00:00"'), "at_start"),
        (MOONCAKE.replace('"2026-09-01T00:00:00Z"', "2026-09-01"), "at_start"),
        (MOONCAKE.replace('"2026-09-01T00:00:00Z"', "7"), "at_start"),
        (INVOICES.replace("tax", "input_tokens"), "input_tokens"),
        (INVOICES.replace("tax", "amount_unit"), "amount_unit"),
        (INVOICES.replace('"invoice"', '"bribe"'), "item_kind"),
        (INVOICES.replace('currency = "cur"', ""), "currency"),
    ],
)
def test_a_mapping_that_is_none_is_refused_by_its_key(text: str, field: str) -> None:
    """Unknown keys with the list of those there are, and others with what they need."""
    with pytest.raises(InvalidInput) as refusal:
        read_mapping(text)
    assert refusal.value.field == field


def test_an_unknown_key_is_answered_with_the_keys_there_are() -> None:
    """So that nobody has to look them up."""
    with pytest.raises(InvalidInput, match="its keys are kind, rows, id, at_format"):
        read_mapping('kind = "usage"\ntimestamp = "x"')


def test_a_start_may_be_a_moment_of_toml(tmp_path: Path) -> None:
    """With its offset, or in the zone of all moments."""
    file = opened(tmp_path, jsonl_text({"timestamp": 0, "input_length": 7, "output_length": 2}))
    for start in ("2026-09-01T02:00:00+02:00", '2026-09-01T02:00:00\nat_zone = "Europe/Berlin"'):
        (event,) = by(textwrap.dedent(MOONCAKE).replace('"2026-09-01T00:00:00Z"', start), file)
        assert event.at == datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "rows", "prompt", "answer", "ratio"), [("code", 8_819, 2_048, 28, 73.4), ("conv", 19_366, 1_155, 211, 5.5)]
)
def test_the_traces_of_azure(name: str, rows: int, prompt: int, answer: int, ratio: float) -> None:
    """All their rows, with the means that are known of them."""
    file = open_file(shared("usage", "traces", f"AzureLLMInferenceTrace_{name}.csv"))
    found = by(AZURE, file)
    assert len(found) == len({event.id for event in found}) == rows
    means = [fmean(event.counts[count] for event in found) for count in ("input_tokens", "output_tokens")]
    assert [round(mean) for mean in means] == [prompt, answer]
    assert round(means[0] / means[1], 1) == ratio


@pytest.mark.parametrize(
    ("name", "rows", "prompt", "answer"), [("conversation", 12_031, 12_035, 343), ("synthetic", 3_993, 15_325, 149)]
)
def test_the_traces_of_mooncake(name: str, rows: int, prompt: int, answer: int) -> None:
    """All their rows too, an hour of them from the start that is given."""
    found = by(MOONCAKE, open_file(shared("usage", "traces", f"mooncake_{name}_trace.jsonl")))
    assert len(found) == rows
    assert round(fmean(event.counts["input_tokens"] for event in found)) == prompt
    assert round(fmean(event.counts["output_tokens"] for event in found)) == answer
    assert found[0].at == datetime(2026, 9, 1, tzinfo=UTC)
    assert max(event.at for event in found) < datetime(2026, 9, 1, 2, tzinfo=UTC)


def test_a_trace_is_played_at_another_time(tmp_path: Path) -> None:
    """Every moment moves by the same whole days."""
    file = opened(tmp_path, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,10,5\n")
    shifted = AZURE.replace("at_zone", "at_shift_days = 1096\n    at_zone")
    (event,) = by(shifted, file)
    assert event.at == datetime(2026, 11, 16, 18, 17, 3, tzinfo=UTC)
