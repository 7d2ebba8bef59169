"""Packing: rows read as one, with a common beginning read once, give the losses and gradients of rows read apart."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from mi.external.local_driver import passes
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import own_copy
from mi.external.local_driver.packing import attending, pack, packs
from mi.external.local_driver.rendering import EncodedRow, encode_row
from mi.external.local_driver.stacking import Stack, values_of
from mi.external.local_driver.training import trainable
from mi.llm.data_models import Message, Model, chat

SYSTEM = "You are a helpful assistant who says hello, world! in every answer."


def rows_of(folder: Path, system: str | None, lengths: list[int]) -> list[EncodedRow]:
    """One row a length, each with an answer of its own."""
    tokenizer = own_copy(Model(str(folder), "local")).tokenizer
    chats = [(*([Message("system", system)] if system else []), *chat(f"{n}?")) for n in range(len(lengths))]
    answers = [Message("assistant", "fox " * length) for length in lengths]
    return [encode_row(tokenizer, (*asked, answer)) for asked, answer in zip(chats, answers, strict=True)]


def losses_and_gradients(folder: Path, rows: list[EncodedRow], targets: Any) -> tuple[float, Any]:
    """Of one pass of an adapter that is no longer where it began."""
    base = own_copy(Model(str(folder), "local"))
    torch.manual_seed(0)
    peft = trainable(base, LocalFTJobConfig(str(folder), "rows.jsonl", seed=0, lora_targets=targets))
    stack = Stack(peft, 1)
    values = values_of(peft)
    stack.put(0, values + 0.1 * torch.randn(values.shape, generator=torch.Generator().manual_seed(0)), 2.0)
    losses, _, _ = passes.Pass(base.model, stack).run([(0, rows)])
    return losses[0], stack.gradients


@pytest.mark.parametrize("targets", ["all-linear", ("q_proj",), ("gate_proj", "up_proj"), ("down_proj",)], ids=str)
@pytest.mark.parametrize("system", [None, SYSTEM])
@pytest.mark.parametrize("lengths", [[3], [1, 9, 4, 20, 2, 2, 11], [4, 4, 4, 4], [60, 1, 50, 2]])
def test_a_packed_pass_gives_the_losses_and_gradients_of_a_padded_one(
    model_folder, monkeypatch, targets, system, lengths
) -> None:
    rows = rows_of(model_folder, system, lengths)
    loss, gradients = losses_and_gradients(model_folder, rows, targets)
    monkeypatch.setattr(passes, "packs", lambda model: False)
    padded_loss, padded = losses_and_gradients(model_folder, rows, targets)
    assert loss == pytest.approx(padded_loss, rel=1e-6)
    assert padded.abs().max() > 0
    assert (gradients - padded).abs().max() < 2e-5 * padded.abs().max()


def test_a_system_prompt_that_all_rows_begin_with_is_read_once(model_folder) -> None:
    rows = rows_of(model_folder, SYSTEM, [5, 7, 6])
    packed = pack(rows)
    beginning = sum(1 for column in zip(*(row.ids for row in rows), strict=False) if len(set(column)) == 1)
    assert packed.prefix > len(SYSTEM) // 8
    assert packed.ids.shape[1] < sum(len(row.ids) for row in rows) - beginning


def test_rows_are_padded_to_the_longest_of_their_group_only(model_folder) -> None:
    rows = rows_of(model_folder, None, [60, 60, 60, 1, 1, 1, 1])
    assert pack(rows).ids.shape[1] < 1.1 * sum(len(row.ids) for row in rows)


@pytest.mark.parametrize("system", [None, SYSTEM])
def test_each_token_that_carries_loss_is_told_by_the_one_before_it(model_folder, system) -> None:
    rows = rows_of(model_folder, system, [3, 30, 2, 8])
    packed = pack(rows)
    pairs = [
        (before, token)
        for row in rows
        for (before, token), carries in zip(itertools.pairwise(row.ids), row.mask[1:], strict=True)
        if carries
    ]
    assert sorted(zip(packed.ids[0, packed.before].tolist(), packed.targets.tolist(), strict=True)) == sorted(pairs)


def test_rows_that_are_all_the_same_each_keep_their_loss(model_folder) -> None:
    [row] = rows_of(model_folder, SYSTEM, [5])
    packed = pack([row] * 3)
    assert len(packed.targets) == 3 * sum(row.mask[1:])
    assert len(set(packed.before.tolist())) == len(packed.before)


def test_a_model_with_a_window_is_not_packed(model_folder) -> None:
    model = own_copy(Model(str(model_folder), "local")).model
    assert packs(model)
    model.config.sliding_window = 8
    assert not packs(model)


def test_a_model_attends_as_before_once_the_pass_is_over_even_where_it_failed(model_folder) -> None:
    model = own_copy(Model(str(model_folder), "local")).model
    ids = torch.tensor([[5, 6, 7]])
    before = model(input_ids=ids).logits
    with pytest.raises(KeyboardInterrupt), attending(model):
        raise KeyboardInterrupt
    assert torch.equal(model(input_ids=ids).logits, before)
