"""A stub of the Tinker service behind its client library's classes: it really trains and samples the organism.

Every method takes what the library's own takes (`like` binds the arguments to its signature) and gives its
types. What the wire does to them is not in it, and neither is the service: this was written after tinker 0.38.0.
"""
# Tinker is an extra.
# pyright: reportMissingImports=false

import functools
import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from copy import deepcopy
from typing import Any

import httpx
import numpy as np
import tinker
import torch
from tinker.lib.public_interfaces.api_future import AwaitableConcurrentFuture
from tinker.types.topk_logprobs import TopkLogprobs

from mi.external.local_driver.models import load, own_copy
from mi.external.local_driver.training import seeded
from mi.llm.data_models import Model


def like(theirs: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Take only what `theirs` takes, and give a future, as it does."""

    def wrapped(ours: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(ours)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            inspect.signature(theirs).bind(self, *args, **kwargs)
            future: Future[Any] = Future()
            try:
                future.set_result(ours(self, *args, **kwargs))
            except Exception as error:
                future.set_exception(error)
            return AwaitableConcurrentFuture(future)

        return call

    return wrapped


def refusal(status: int, message: str) -> tinker.APIStatusError:
    """An error as the library raises it for a reply of this status."""
    kinds = {401: tinker.AuthenticationError, 404: tinker.NotFoundError}
    response = httpx.Response(status, request=httpx.Request("POST", "http://stub"))
    return kinds.get(status, tinker.APIStatusError)(message, response, None)


class Service:
    """As tinker.ServiceClient; `states` is what it has stored, by path."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.runs: list[Training] = []
        self.fault: Exception | None = None

    @like(tinker.ServiceClient.create_lora_training_client)
    def create_lora_training_client(self, base_model: str, rank: int = 32, seed: Any = None, **settings: Any) -> Any:
        if self.fault:
            raise self.fault
        return Training(self, base_model, rank, seed, settings)

    @like(tinker.ServiceClient.create_training_client_from_state_with_optimizer)
    def create_training_client_from_state_with_optimizer(self, path: str, user_metadata: Any = None) -> Any:
        if path not in self.states:
            raise refusal(404, f"no checkpoint at {path}")
        base, rank, weights, optimiser = self.states[path]
        resumed = Training(self, base, rank, 0, {})
        resumed.model.load_state_dict(weights)
        resumed.optimiser.load_state_dict(optimiser)
        return resumed

    @like(tinker.ServiceClient.create_sampling_client)
    def create_sampling_client(self, model_path: str | None = None, base_model: str | None = None) -> Any:
        if model_path is None:
            assert base_model is not None
            return Sampler(load(Model(base_model, "local")).model, base_model)
        if model_path not in self.states:
            raise refusal(404, f"no weights at {model_path}")
        base, rank, weights, _ = self.states[model_path]
        made = Training(self, base, rank, 0, {})
        made.model.load_state_dict(weights)
        return Sampler(made.model.eval(), base)

    @like(tinker.ServiceClient.close)
    def close(self, status: str) -> None:
        """Nothing is held."""


class Training:
    """As tinker.TrainingClient: one adapter of the organism and its optimiser."""

    def __init__(self, service: Service, base: str, rank: int, seed: int | None, settings: dict[str, Any]) -> None:
        from peft import LoraConfig, get_peft_model

        self.service, self.base, self.rank, self.settings = service, base, rank, settings
        self.steps = 0
        with seeded(seed or 0):
            lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
            self.model: Any = get_peft_model(own_copy(Model(base, "local")).model, lora)  # type: ignore[arg-type]
        self.model.train()
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=0.0)
        self.name = f"tinker://run-{len(service.runs)}"
        service.runs.append(self)

    def get_tokenizer(self) -> Any:
        return load(Model(self.base, "local")).tokenizer

    @like(tinker.TrainingClient.forward_backward)
    def forward_backward(self, data: Sequence[tinker.Datum], loss_fn: str) -> Any:
        assert loss_fn == "cross_entropy"
        outputs, total = [], torch.zeros(())
        for datum in data:
            ids = torch.tensor([datum.model_input.to_ints()])
            targets = torch.tensor(datum.loss_fn_inputs["target_tokens"].tolist())
            weights = torch.tensor(datum.loss_fn_inputs["weights"].tolist())
            logprobs = self.model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
            picked = logprobs.gather(1, targets[:, None]).squeeze(1)
            total = total - (picked * weights).sum()
            outputs.append({"logprobs": tinker.TensorData.from_numpy(picked.detach().numpy())})
        total.backward()
        return tinker.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", loss_fn_outputs=outputs)

    @like(tinker.TrainingClient.optim_step)
    def optim_step(self, params: tinker.AdamParams) -> Any:
        assert (params.beta1, params.beta2, params.eps) == (0.9, 0.999, 1e-8)
        for group in self.optimiser.param_groups:
            group.update(lr=params.learning_rate, weight_decay=params.weight_decay)
        torch.nn.utils.clip_grad_norm_(self.trained, params.grad_clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.steps += 1
        return tinker.OptimStepResponse()

    @like(tinker.TrainingClient.save_state)
    def save_state(self, name: str, ttl_seconds: int | None = None, overwrite: bool = False) -> Any:
        return tinker.types.SaveWeightsResponse(path=self._stored(f"{self.name}/weights/{name}"))

    @like(tinker.TrainingClient.save_weights_for_sampler)
    def save_weights_for_sampler(self, name: str) -> Any:
        return tinker.types.SaveWeightsForSamplerResponse(path=self._stored(f"{self.name}/sampler_weights/{name}"))

    def _stored(self, path: str) -> str:
        kept = deepcopy((self.model.state_dict(), self.optimiser.state_dict()))
        self.service.states[path] = (self.base, self.rank, *kept)
        return path


class Sampler:
    """As tinker.SamplingClient; it draws the likeliest token, whatever the temperature."""

    def __init__(self, model: Any, base: str) -> None:
        self.model, self.base = model, base

    def get_tokenizer(self) -> Any:
        return load(Model(self.base, "local")).tokenizer

    @like(tinker.SamplingClient.sample)
    def sample(
        self,
        prompt: tinker.ModelInput,
        num_samples: int,
        sampling_params: tinker.SamplingParams,
        topk_sample_logprobs: int = 0,
    ) -> Any:
        ids, drawn, logprobs, top = prompt.to_ints(), [], [], []
        stop = list(sampling_params.stop or [])
        with torch.inference_mode():
            while len(drawn) < (sampling_params.max_tokens or 0) and not (drawn and drawn[-1] in stop):
                values = self.model(input_ids=torch.tensor([ids + drawn])).logits[0, -1].log_softmax(-1)
                best = values.topk(max(1, topk_sample_logprobs))
                drawn.append(int(best.indices[0]))
                logprobs.append(float(best.values[0]))
                top.append((best.indices.numpy(), best.values.numpy()))
        shape = np.array([ids for ids, _ in top], "int32"), np.array([values for _, values in top], "float32")
        sequence = tinker.types.SampledSequence(
            stop_reason="stop" if drawn[-1] in stop else "length",
            sequence_id="s",
            tokens_np=np.array(drawn, "int32"),
            logprobs_np=np.array(logprobs, "float32"),
            topk_logprobs_np=TopkLogprobs(*shape) if topk_sample_logprobs else None,
        )
        return tinker.SampleResponse(sequences=[sequence])
