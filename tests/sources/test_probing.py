"""One request to an OpenAI-compatible API, over real connections: what is timed, what is billed, what goes wrong."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction

import pytest

from planner.core.errors import InvalidInput
from planner.core.measurement import Attempt
from planner.core.names import ProviderNames
from planner.core.offer import OfferFacts
from planner.core.usage import Usage
from planner.places import seeds_dir
from planner.sources.endpoints import Endpoints, check_variable, own_endpoint
from planner.sources.openrouter import pinned_tag
from planner.sources.probing import Call, Events, Limits, attempt, opened
from tests.chat_api import DONE, ChatApi, Manner, delta, event
from tests.loopback import free_port
from tests.make import NOON

QUICK = Limits(first_token_seconds=10, whole_seconds=20)
STOP = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
Ask = Callable[..., Attempt]


@pytest.fixture
def api() -> ChatApi:
    """An API that answers for every model in the plain manner."""
    return ChatApi()


@pytest.fixture
def ask(api: ChatApi) -> Iterator[Ask]:
    """Send one request for a model that is answered for in some manner."""
    with api.serving() as url:

        def send(manner: Manner | None = None, limits: Limits = QUICK, base_url: str = url) -> Attempt:
            api.manners["m"] = manner or Manner()
            body = {"model": "m", "messages": [{"role": "user", "content": "CANARY-PROMPT"}], "stream": True}
            call = Call(
                base_url=base_url, key="CANARY-KEY", body=body, expected_input_tokens=6, expected_output_tokens=4
            )
            return asyncio.run(_one(call, limits))

        yield send


async def _one(call: Call, limits: Limits) -> Attempt:
    async with opened(1, limits) as client:
        return await attempt(client, call, lambda: NOON, limits)


def test_an_answer_is_counted_and_timed(ask: Ask, api: ChatApi) -> None:
    """The bill to the token, the pieces to the piece, moments in their order; the key in one header."""
    made = ask(Manner(pieces=5, between_seconds=0.01))
    assert made.error is None
    assert made.usage == Usage(input_tokens=7, output_tokens=5)
    assert (made.pieces, made.expected_input_tokens, made.expected_output_tokens) == (5, 6, 4)
    assert made.first_us is not None
    assert made.last_us is not None
    assert made.whole_us is not None
    assert 0 < made.first_us < made.last_us <= made.whole_us
    assert made.throughput_tps == Fraction(4_000_000, made.last_us - made.first_us)
    assert (made.started_at, api.keys) == (NOON, ["Bearer CANARY-KEY"])
    assert api.asked[0]["messages"] == [{"role": "user", "content": "CANARY-PROMPT"}]


def test_who_waits_longer_has_the_longer_time_to_the_first_token(ask: Ask) -> None:
    """A second before the first piece is heard."""
    quick, slow = ask(Manner()), ask(Manner(first_seconds=1))
    assert quick.first_us is not None
    assert slow.first_us is not None
    assert slow.first_us > quick.first_us
    assert slow.first_us >= 1_000_000


def test_who_drips_has_the_lower_speed(ask: Ask) -> None:
    """Pauses between the pieces are heard as fewer tokens per second."""
    quick, slow = ask(Manner(between_seconds=0.002)), ask(Manner(between_seconds=0.1))
    assert quick.throughput_tps is not None
    assert slow.throughput_tps is not None
    assert slow.throughput_tps < quick.throughput_tps
    assert slow.throughput_tps <= 10


def test_what_is_thought_counts_as_a_token(ask: Ask) -> None:
    """The first token may be one of reasoning; whether it was shown is kept, what it said is not."""
    usage = {"prompt_tokens": 7, "completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 3}}
    made = ask(Manner(thoughts=3, usage=usage, between_seconds=0.01))
    assert (made.pieces, made.reasoning_seen) == (8, True)
    assert made.usage == Usage(input_tokens=7, output_tokens=8, reasoning_tokens=3)
    assert "CANARY" not in repr(made)


def test_a_stated_cost_is_kept_to_the_last_digit(ask: Ask) -> None:
    """A number in the bill never goes through a float."""
    bill = (
        b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1, "cost": 0.0001400000000001}}\n\n'
    )
    assert ask(Manner(raw=delta(content="a") + STOP + bill + DONE)).stated_usd == Decimal("0.0001400000000001")


@pytest.mark.parametrize(
    ("manner", "error"),
    [
        (Manner(status=429), "http_429"), (Manner(status=500), "http_500"), (Manner(status=401), "http_401"),
        (Manner(status=302, headers={"Location": "http://127.0.0.1:1/"}), "redirect"),
        (Manner(headers={"Content-Encoding": "gzip"}), "encoded"),
        (Manner(headers={"Content-Type": "application/json"}), "not_a_stream"),
        (Manner(raw=b"data: not json\n\n"), "not_json"), (Manner(raw=b"data: [1]\n\n"), "not_json"),
        (Manner(raw=b"\x00\xff" * 500), "cut"), (Manner(raw=b""), "cut"),
        (Manner(cut_after=2), "cut"), (Manner(pieces=0), "empty"),
        (Manner(raw=delta(content="a") + event({"error": {"message": "CANARY"}})), "stream_error"),
        (Manner(raw=delta(content="a") + event({"choices": [{"finish_reason": "error"}]})), "stream_error"),
        (Manner(usage={"prompt_tokens": -1}), "impossible_usage"),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_has_a_code(ask: Ask, manner: Manner, error: str) -> None:
    """Statuses, redirects, encodings, garbage, broken streams; nothing of what was sent is repeated."""
    made = ask(manner)
    assert made.error == error
    assert "CANARY" not in repr(made)


def test_what_came_before_a_cut_is_still_known(ask: Ask) -> None:
    """Two pieces came, and no bill."""
    made = ask(Manner(cut_after=2))
    assert (made.pieces, made.usage, made.throughput_tps) == (2, None, None)
    assert made.first_us is not None


def test_an_answer_without_a_bill_is_no_failure(ask: Ask) -> None:
    """The first token is timed; what it costs and how fast it was stays unknown."""
    made = ask(Manner(usage=None))
    assert (made.error, made.usage, made.throughput_tps, made.pieces) == (None, None, None, 5)


@pytest.mark.parametrize(
    ("manner", "limits", "error"),
    [
        (Manner(endless=True), Limits(10, 20, bytes_max=20_000), "too_large"),
        (Manner(endless=True, between_seconds=0.01), Limits(10, 0.5), "timeout"),
        (Manner(first_seconds=3), Limits(0.3, 20), "timeout_first_token"),
    ],
)
def test_nothing_goes_on_for_ever(ask: Ask, manner: Manner, limits: Limits, error: str) -> None:
    """Bytes, seconds in all and seconds to the first token are bounded."""
    assert ask(manner, limits).error == error


def test_a_server_that_stays_open_after_its_last_word_has_answered(ask: Ask) -> None:
    """The end is what it says it is."""
    made = ask(Manner(stays_open=True))
    assert (made.error, made.usage) == (None, Usage(input_tokens=7, output_tokens=5))


def test_nobody_there_is_a_code_too(ask: Ask) -> None:
    """Also an address that is none."""
    assert ask(base_url=f"http://127.0.0.1:{free_port()}/v1").error == "unreachable"
    assert ask(base_url="http://[").error == "unreachable"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_events_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    """Comments, other fields, two lines of data, both ends of lines; what no empty line ends is no event."""
    stream = b": hello\n\nevent: x\ndata: {\r\ndata:}\r\n\r\nid: 7\ndata: [DONE]\n\n\ndata: lost\n"
    events = Events()
    found = [data for start in range(0, len(stream), size) for data in events.feed(stream[start : start + size])]
    assert found == [b"{\n}", b"[DONE]"]


def test_every_api_of_the_table_is_documented_and_encrypted() -> None:
    """https, a page that says so, and a variable's name; the same offer never has two."""
    text = (seeds_dir() / "endpoints.toml").read_text("utf-8")
    table = Endpoints(seeds_dir())
    assert text.count("[[endpoint]]") == text.count('\nsource_url = "https://') == len(table.all()) == 9
    for endpoint in table.all():
        assert endpoint.base_url.startswith("https://")
        check_variable(endpoint.key_variable)


def test_an_offer_is_asked_at_its_brokers_or_its_providers_api() -> None:
    """A broker serves all of its offers; a provider that documents no base has none."""
    table = Endpoints(seeds_dir())

    def base(channel: str, provider: str) -> str | None:
        found = table.of(OfferFacts(model_spelling="m", provider=provider, channel=channel))
        return None if found is None else found.base_url

    assert base("openrouter", "nobody") == "https://openrouter.ai/api/v1"
    assert base("direct", "groq") == "https://api.groq.com/openai/v1"
    assert base("direct", "nobody") is base("requesty", "groq") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.internal/v1", "ftp://x/v1", "https://", "https://user:CANARY@x/v1", "https://x/v1?key=CANARY",
        "https://x/v1#f", "https://x:port/v1", "https://x /v1", "x/v1", "http://127.0.0.1.evil.test/v1",
    ],
)  # fmt: skip
def test_a_key_goes_to_no_such_address(url: str) -> None:
    """Only encrypted, or to this machine; what may be a secret in it is not repeated."""
    with pytest.raises(InvalidInput) as refused:
        own_endpoint(url, "MY_KEY")
    assert refused.value.field == "base_url"
    assert "CANARY" not in str(refused.value)


def test_ones_own_gateway_may_be_on_this_machine() -> None:
    """The path is put behind it either way; the variable is named, not the key."""
    assert own_endpoint("http://127.0.0.1:4000/v1/", "MY_KEY").base_url == "http://127.0.0.1:4000/v1"
    assert own_endpoint("https://gateway.test", "MY_KEY").base_url == "https://gateway.test"
    with pytest.raises(InvalidInput) as refused:
        own_endpoint("https://gateway.test", "sk-CANARY")
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize(
    ("offer", "provider", "tag"),
    [
        ("openrouter:deepinfra/x/m@fp4", "deepinfra", "deepinfra/fp4"),
        ("openrouter:deepinfra/x/m", "deepinfra", "deepinfra"),
        ("openrouter:vertex/x/m@global", "vertex", "google-vertex/global"),
        ("openrouter:stranger/x/m", "stranger", "stranger"),
        ("openrouter:twice/x/m", "twice", None),
        ("openrouter:silent/x/m", "silent", None),
        ("openrouter:deepinfra/another", "deepinfra", None),
    ],
)
def test_a_tag_is_found_again_from_the_offer_it_made(offer: str, provider: str, tag: str | None) -> None:
    """By OpenRouter's own word for the provider; where that cannot be told, there is none."""
    words = {"deepinfra": "deepinfra", "google-vertex": "vertex", "one": "twice", "two": "twice"}
    names = ProviderNames(providers=words, ids=frozenset({*words.values(), "silent"}))
    facts = OfferFacts(model_spelling="x/m", provider=provider, channel="openrouter")
    assert pinned_tag(offer, facts, names) == tag
