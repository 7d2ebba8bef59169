"""Money: what was spent, what is under way, and stopping before more is spent than was allowed."""

from collections.abc import Callable, Mapping, Sequence

from mi.evaluation.records import Call
from mi.llm.data_models import LLMResponse, Model
from mi.llm.prices import Price, price_of, read_prices
from mi.utils.errors import UserError

_TOKENS_A_MESSAGE = 16  # what a chat template puts around a message, generously
_DUST = 1e-9  # dollars that rounding may leave


def tokens_at_most(call: Call) -> tuple[int, int]:
    """Tokens that a call can cost, prompt and completion: no tokenizer makes more tokens than there are bytes."""
    prompt = sum(len(turn.content.encode("utf-8", "surrogatepass")) + _TOKENS_A_MESSAGE for turn in call.chat)
    return prompt, call.cfg.max_tokens


class Budget:
    """What the calls of a run cost, in US dollars; under `max_cost`, they are admitted while it cannot be exceeded."""

    def __init__(self, max_cost: float | None = None, prices: Mapping[str, Price] | None = None) -> None:
        self.max_cost = max_cost
        self.spent = 0.0
        self._prices = prices
        self._known: dict[Model, Price | None] = {}
        self._under_way = 0.0
        self._waiting: list[Callable[[], None]] = []

    def price(self, model: Model) -> Price | None:
        """The model's price, None where it is not known."""
        if model not in self._known:
            self._prices = read_prices() if self._prices is None else self._prices
            self._known[model] = price_of(model, self._prices)
        return self._known[model]

    def admit(self, model: Model, calls: Sequence[Call]) -> int:
        """How many of `calls`, from the first, may be asked now; 0 means after the next `announce`.

        Raises UserError where not one more fits and none is under way, and where there is a limit but no price.
        """
        if self.max_cost is None:
            return len(calls)
        if self.price(model) is None:
            raise UserError(
                f"{model.id}: its price is not known, so a maximal cost cannot be kept; put it into a price list and "
                "name that in MI_PRICES."
            )
        admitted = 0
        for call in calls:
            cost = self._at_most(model, call)
            if self.spent + self._under_way + cost > self.max_cost + _DUST:
                break
            self._under_way += cost
            admitted += 1
        if not admitted and self._under_way <= _DUST:
            raise UserError(
                f"stopped before ${self.max_cost:g} could be exceeded: ${self.spent:.4f} is spent, and one more call "
                f"to {model.id} may cost ${self._at_most(model, calls[0]):.4f}; all answers are kept: raise the limit "
                "and give the same command again."
            )
        return admitted

    def cost(self, model: Model, response: LLMResponse) -> float:
        """What an answer has cost; 0 where no price is known."""
        price = self.price(model)
        return 0.0 if price is None else price.cost(response.n_prompt_tokens, response.n_completion_tokens)

    def settle(self, model: Model, call: Call, response: LLMResponse) -> None:
        """Book an answer."""
        self.spent += self.cost(model, response)
        self.forgo(model, [call])

    def forgo(self, model: Model, calls: Sequence[Call]) -> None:
        """Give back what was set aside for calls."""
        if self.max_cost is not None:
            self._under_way -= sum(self._at_most(model, call) for call in calls)

    def subscribe(self, pump: Callable[[], None]) -> None:
        """Have `pump` called whenever room may have become free."""
        self._waiting.append(pump)

    def announce(self) -> None:
        """Say that room may have become free."""
        for pump in self._waiting:
            pump()

    def _at_most(self, model: Model, call: Call) -> float:
        price = self.price(model)
        return 0.0 if price is None else price.cost(*tokens_at_most(call))
