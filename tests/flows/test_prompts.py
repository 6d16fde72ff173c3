"""What a probe sends: of the size the task says, never twice the same, and a file of one's own read to the letter."""

from fractions import Fraction

import pytest

from planner.core.errors import InvalidInput
from planner.core.usage import Usage
from planner.core.workload import Habits, Request, Workload
from planner.flows.prompts import generated, read_own, sample

SHORT, LONG = Usage(input_tokens=100, output_tokens=10), Usage(input_tokens=4_000, output_tokens=50)
MIXED = Workload(requests=(Request(LONG, Fraction(1, 4)), Request(SHORT, Fraction(3, 4))))


def test_kinds_are_taken_by_their_shares() -> None:
    """Three of four are short; of a single one, the kind in the middle."""
    assert [kind.usage for kind in sample(MIXED, 4)] == [SHORT, SHORT, SHORT, LONG]
    assert [kind.usage for kind in sample(MIXED, 1)] == [SHORT]
    assert [kind.usage for kind in sample(Workload.of(LONG), 3)] == [LONG] * 3
    thirds = Workload(requests=tuple(Request(Usage(input_tokens=n), Fraction(1, 3)) for n in (1, 2, 3)))
    assert [kind.usage.input_tokens for kind in sample(thirds, 6)] == [1, 1, 2, 2, 3, 3]


def test_generated_prompts_have_the_tasks_size() -> None:
    """A word is a token and a space, so words count what the task counts; one byte bounds one token from above."""
    for kind, prompt in zip(sample(MIXED, 4), generated(MIXED, 4, "seed"), strict=True):
        words = prompt.messages[0]["content"].split()
        assert abs(len(words) - kind.usage.input_tokens) <= 12
        assert prompt.input_tokens_max > kind.usage.input_tokens
        assert (prompt.expected_input_tokens, prompt.max_tokens) == (kind.usage.input_tokens, kind.usage.output_tokens)
    assert len(generated(Workload.of(Usage(input_tokens=1)), 1, "seed")[0].messages[0]["content"]) > 0


def test_no_two_generated_prompts_are_alike_and_all_cost_alike() -> None:
    """Nobody has them in a cache yet; what they may cost at most does not hang on chance."""
    made = [*generated(Workload.of(LONG), 3, "one"), *generated(Workload.of(LONG), 3, "two")]
    assert len({prompt.messages[0]["content"] for prompt in made}) == 6
    assert len({prompt.input_tokens_max for prompt in made}) == 1
    assert generated(MIXED, 4, "one") == generated(MIXED, 4, "one")


def test_what_a_model_thinks_needs_room() -> None:
    """The longest answer of a task that multiplies its output is the multiple."""
    thinking = Workload(requests=(Request(SHORT),), habits=Habits(reasoning_multiplier=Fraction(17, 5)))
    assert generated(thinking, 1, "seed")[0].max_tokens == 34


def test_a_short_file_begins_anew_and_a_long_one_is_read_as_far_as_asked() -> None:
    """What the task expects stands beside each prompt; a limit of its own goes before the task's."""
    payload = '{"prompt": "één"}\r\n\n{"messages": [{"role": "system", "content": "s"}], "max_tokens": 3}\n'.encode()
    made = read_own(payload, MIXED, 3)
    assert [prompt.messages for prompt in made] == [
        ({"role": "user", "content": "één"},), ({"role": "system", "content": "s"},),
        ({"role": "user", "content": "één"},),
    ]  # fmt: skip
    assert [prompt.max_tokens for prompt in made] == [50, 3, 50]
    assert [prompt.expected_input_tokens for prompt in made] == [100, 100, 4_000]
    assert len(read_own(payload, MIXED, 1)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "CANARY", "[]", "{}", '{"prompt": 1}', '{"prompt": "a", "messages": []}', '{"messages": []}',
        '{"messages": "CANARY"}', '{"messages": [{"role": "user"}]}',
        '{"messages": [{"role": "CANARY", "content": ""}]}',
        '{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', '{"prompt": "CANARY", "temperature": 1}',
        '{"prompt": "CANARY", "max_tokens": 0}', '{"prompt": "CANARY", "max_tokens": true}',
        '{"prompt": "a", "prompt": "b"}',
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named_and_not_repeated(line: str) -> None:
    """It may hold a customer's words."""
    with pytest.raises(InvalidInput) as refused:
        read_own(b'{"prompt": "a"}\n' + line.encode(), MIXED, 2)
    assert "line 2" in refused.value.field
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize("payload", [b"", b"\n \n", b'{"prompt": "a"}\n' * 10_001])
def test_a_file_of_nothing_or_of_too_much_is_refused(payload: bytes) -> None:
    """Neither is a sample of a task."""
    with pytest.raises(InvalidInput):
        read_own(payload, MIXED, 2)
