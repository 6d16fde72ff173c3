"""Stripe's files tell of one account, whichever of them it is: they share one source unless a person names another."""

from planner.ledger.format import Given

SOURCE = "stripe"


def source_of(given: Given, form: str) -> str:
    """Return the source of the rows of a file.

    A transaction that stands in two reports is counted once because it has the same id in the same source, and a
    customer's id means the same in each. So a source that is called as the format, since nobody named one, is Stripe.
    """
    return SOURCE if given.source == form else given.source
