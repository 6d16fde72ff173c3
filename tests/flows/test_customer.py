"""Past the budget: the nearest lower tier that is cheaper, and nothing else gives way."""

from dataclasses import replace

from planner.core.ask import Answer, Ask
from planner.core.plan import Needs
from planner.core.recommend import recommend
from planner.flows.customer import step_down
from tests import make

DEAR = make.offer("direct:acme/large", "acme/large")
MIDDLE = make.offer("direct:acme/middle", "acme/middle")
SMALL = make.offer("direct:acme/small", "acme/small")


def stepped(prices: dict[str, str], **needs: object) -> tuple[str, str]:
    """Return whom everybody gets and whom a customer past the budget gets; output prices by model, in USD."""
    offers = {"large": DEAR, "middle": MIDDLE, "small": SMALL}
    catalogue = make.catalogue({offers[name]: make.rates(input="1", output=usd) for name, usd in prices.items()})
    ask = make.ask(needs=Needs(**needs))  # type: ignore[arg-type]  # needs by name

    def search(other: Ask) -> Answer:
        return recommend(catalogue, other)

    found = search(ask)
    below, lower = step_down(ask, found, search)
    assert replace(below, needs=ask.needs) == ask
    return found.choice.offer.id, lower.choice.offer.id


def test_the_nearest_lower_tier_serves() -> None:
    """Tier 1 steps down to tier 2, also where tier 3 is cheaper still."""
    prices = {"large": "15", "middle": "1", "small": "0.1"}
    assert stepped(prices, tiers=(1,)) == (DEAR.id, MIDDLE.id)
    assert stepped({"large": "15", "small": "0.1"}, tiers=(1,)) == (DEAR.id, SMALL.id)


def test_where_nothing_lower_serves_everything_stays() -> None:
    """The lowest tier has none below; what the needs refuse is not below either."""
    assert stepped({"small": "0.1"}) == (SMALL.id, SMALL.id)
    assert stepped({"large": "15", "small": "0.1"}, models=("acme/large",)) == (DEAR.id, DEAR.id)
