"""Every format of files there is, and which of them a file is."""

from planner.core.errors import InvalidInput
from planner.ledger import anthropic, focus, helicone, langfuse, litellm, mapped, openai, openrouter, otel, stripe
from planner.ledger.format import File, Format

FORMATS: tuple[Format, ...] = (
    *litellm.FORMATS,
    *langfuse.FORMATS,
    *helicone.FORMATS,
    *openrouter.FORMATS,
    *openai.FORMATS,
    *anthropic.FORMATS,
    *otel.FORMATS,
    *stripe.FORMATS,
    *focus.FORMATS,
    *mapped.FORMATS,
)
"""In the order in which a list of them is shown."""

GROUPED = frozenset({openai.Usage.name, anthropic.Usage.name})
"""Those whose rows are grouped as whoever pulled them asked, so that two pulls of one bucket may be other rows."""


def named(name: str) -> Format:
    """Return a format by its name.

    Raises:
        InvalidInput: there is no such format; names those there are.
    """
    found = next((form for form in FORMATS if form.name == name), None)
    if found is None:
        raise InvalidInput("format", f"one of {_names(FORMATS)} is needed")
    return found


def guess(file: File) -> tuple[Format, str]:
    """Return the one format a file is of, and how one can tell, in words for a person.

    Raises:
        InvalidInput: it is of none of them, or could be of several; names them.
    """
    known = [(form, because) for form in FORMATS if (because := form.knows(file)) is not None]
    if len(known) == 1:
        return known[0]
    if known:
        names = _names(tuple(form for form, _because in known))
        raise InvalidInput("format", f"the file could be each of {names}; say which")
    raise InvalidInput("format", f"the file is of no known format; say which, of {_names(FORMATS)}")


def _names(forms: tuple[Format, ...]) -> str:
    return ", ".join(form.name for form in forms)
