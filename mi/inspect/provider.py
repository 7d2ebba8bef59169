"""The provider `mi` of Inspect: any model of ours, asked through our backends and kept in our store."""
# Inspect is an extra.
# pyright: reportMissingImports=false

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mi.evaluation.store import Call
from mi.inspect.asking import Askers
from mi.inspect.conversion import MAX_TOKENS, cfg_of, chat_of, output_of
from mi.llm import services as llm
from mi.llm.data_models import Chat, LLMResponse, Model, SampleCfg, SampleRequest
from mi.llm.names import parse_model
from mi.utils.errors import UserError

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput
    from inspect_ai.tool import ToolChoice, ToolInfo


class Provider:
    """Makes a ModelAPI ours: `mi/organism`, `mi/local/…`, `mi/openai/ID@ENDPOINT`; `job` names what was made of it.

    The n-th time that the same messages are sent is the n-th sample of them, as in an evaluation of ours, so epochs are
    draws of their own and a second run finds all answers in the store.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        job: str | None = None,
    ) -> None:
        from inspect_ai.model import GenerateConfig

        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())  # type: ignore[call-arg]
        named = parse_model(model_name)
        self.model = Model(named.id, named.type, job, base_url or named.endpoint)
        self._name = model_name
        self._askers = Askers("answers")
        self._sent: Counter[tuple[Chat, SampleCfg]] = Counter()

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One answer. Raises UserError for tools, images, and settings that we do not have."""
        if tools:
            raise UserError("this task gives tools, which the provider mi does not call; choose one that only asks.")
        chat, cfg = chat_of(input), cfg_of(config)
        index = self._sent[chat, cfg]
        self._sent[chat, cfg] += 1
        return output_of(self._name, await self._answer(Call(chat, cfg, index), tuple(config.stop_seqs or ())))

    async def _answer(self, call: Call, stop: tuple[str, ...]) -> LLMResponse:
        if not stop:
            return await self._askers.ask(self.model, call)
        # The store knows calls by messages, configuration and index; an answer that was stopped early is another call.
        seed = llm.sample_seed(call.chat, call.cfg, call.index)
        return (await llm.batch_sample(self.model, [SampleRequest(call.chat, call.cfg, seed, stop)]))[0]

    def max_tokens(self) -> int | None:
        """Where a task sets none."""
        return MAX_TOKENS

    def max_connections(self) -> int:
        """As many as the backend takes at once."""
        return llm.at_once(self.model)

    def should_retry(self, ex: Any) -> bool:
        """Never: our backends have retried what a retry can mend."""
        return False

    def collapse_user_messages(self) -> bool:
        """Messages are sent as they are."""
        return False


def model_api() -> type[ModelAPI]:
    """The class that Inspect is given; made here, so that nobody else's import loads Inspect."""
    from inspect_ai.model import ModelAPI

    return type("MiAPI", (Provider, ModelAPI), {"__doc__": Provider.__doc__})
