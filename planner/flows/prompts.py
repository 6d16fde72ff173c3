"""What a probe sends: a task's own prompts from a file, or generated ones of the size the task says it has."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from planner.core import strict_json
from planner.core.errors import InvalidInput
from planner.core.usage import COUNT_MAX
from planner.core.workload import Request, Workload
from planner.core.worst_case import prompt_tokens_max

OWN, GENERATED = "own", "generated"
PROMPTS_MAX = 10_000
_ROLES = ("system", "developer", "user", "assistant")
_ASK = "\n\nGo on with this text, in plain words, until you are stopped."
# What the request above, and the template around it, come to.
_ASK_TOKENS = 24
# Each of these is one token, with the space before it, for every tokenizer in wide use, and all are of one length: what
# a generated prompt may cost at most does not hang on chance.
_VOCABULARY = (
    "time year hand part case week work home room area fact book word side kind head line city name team idea body "
    "back face door game life love mind moon road rock rain ship shop snow song star step tree tool town unit view "
    "wall wave wind wood farm fire fish food foot girl gold good hall help hill hope king lake land lion"
)
_WORDS = tuple(_VOCABULARY.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One conversation to send, at most how long its answer may get, and the counts the task expects of it."""

    messages: tuple[Mapping[str, str], ...]
    max_tokens: int
    expected_input_tokens: int
    expected_output_tokens: int

    @property
    def input_tokens_max(self) -> int:
        """More tokens than it can have."""
        return prompt_tokens_max(message["content"] for message in self.messages)


def sample(workload: Workload, count: int) -> list[Request]:
    """Take kinds of requests in proportion to their shares, shortest prompt first, the same ones for every offer.

    Of several kinds and few requests, these are the ones in the middle of equal parts of all requests.
    """
    kinds = sorted(workload.requests, key=lambda kind: kind.usage.input_tokens)
    found = []
    for place in range(count):
        passed, wanted = Fraction(), Fraction(2 * place + 1, 2 * count)
        for kind in kinds:
            passed += kind.share
            if passed > wanted or kind is kinds[-1]:
                found.append(kind)
                break
    return found


def limit_of(workload: Workload, request: Request) -> int:
    """Return how many tokens an answer of this kind may have: with what a model thinks, where the task knows that."""
    return max(ceil(request.usage.output_tokens * workload.habits.reasoning_multiplier), 1)


def generated(workload: Workload, count: int, seed: str) -> list[Prompt]:
    """Generate prompts of a task's size; another seed makes other ones, which nobody has in a cache yet."""
    return [
        Prompt(
            messages=({"role": "user", "content": _text(kind.usage.input_tokens, f"{seed}:{place}")},),
            max_tokens=limit_of(workload, kind),
            expected_input_tokens=kind.usage.input_tokens,
            expected_output_tokens=kind.usage.output_tokens,
        )
        for place, kind in enumerate(sample(workload, count))
    ]


def _text(tokens: int, seed: str) -> str:
    words: list[str] = []
    block = 0
    while len(words) < tokens - _ASK_TOKENS:
        digest = hashlib.sha256(f"{seed}:{block}".encode()).digest()
        words += [_WORDS[byte % len(_WORDS)] for byte in digest]
        block += 1
    return " ".join(words[: max(tokens - _ASK_TOKENS, 1)] or _WORDS[:1]) + _ASK


def read_own(payload: bytes, workload: Workload, count: int) -> list[Prompt]:
    """Read prompts from lines of JSON, each with ``messages`` or ``prompt`` and maybe ``max_tokens``, as many as asked.

    A shorter file begins anew. What the task expects stands beside each, so that the bill shows what it forgot.

    Raises:
        InvalidInput: names the line that cannot be read; what stands in it is not repeated.
    """
    lines = [(number, line) for number, line in enumerate(payload.splitlines(), 1) if line.strip()]
    if not lines:
        raise InvalidInput("prompts", "the file is empty")
    if len(lines) > PROMPTS_MAX:
        raise InvalidInput("prompts", f"at most {PROMPTS_MAX} prompts are read")
    kinds = sample(workload, count)
    read = [_line(number, line) for number, line in lines]
    longest = max(limit_of(workload, kind) for kind in workload.requests)
    return [
        Prompt(
            messages=tuple(messages),
            max_tokens=limit or longest,
            expected_input_tokens=kind.usage.input_tokens,
            expected_output_tokens=kind.usage.output_tokens,
        )
        for kind, (messages, limit) in zip(kinds, (read[n % len(read)] for n in range(count)), strict=True)
    ]


def _line(number: int, line: bytes) -> tuple[Sequence[dict[str, str]], int | None]:
    field = f"prompts, line {number}"
    said = strict_json.read(line, name=field)
    if not isinstance(said, dict) or not said.keys() <= {"messages", "prompt", "max_tokens"}:
        raise InvalidInput(field, "an object with messages or prompt, and maybe max_tokens, is needed")
    limit = said.get("max_tokens")
    if limit is not None and (type(limit) is not int or not 0 < limit <= COUNT_MAX):
        raise InvalidInput(field, "max_tokens is a count of at least 1")
    if ("messages" in said) == ("prompt" in said):
        raise InvalidInput(field, "either messages or prompt is needed")
    listed = said["messages"] if "messages" in said else [{"role": "user", "content": said["prompt"]}]
    if not isinstance(listed, list) or not listed or not all(_is_message(message) for message in listed):
        raise InvalidInput(field, f"a message has a role of {', '.join(_ROLES)} and a text as its content")
    return listed, limit


def _is_message(message: Any) -> bool:  # noqa: ANN401  # JSON is any of six types
    if not isinstance(message, dict) or message.keys() != {"role", "content"}:
        return False
    return message["role"] in _ROLES and isinstance(message["content"], str)
