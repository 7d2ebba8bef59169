"""Families of open models: what each format does to a chat, and that small copies of their architectures work."""

import json
from pathlib import Path

import pytest
import typer.testing

from mi.cli import app
from mi.external.local_driver.families import building, show
from mi.external.local_driver.families.formats import PROMPT, examine_format
from mi.external.local_driver.families.known import FAMILIES, family
from mi.external.local_driver.families.services import examine_family, examine_model
from mi.external.local_driver.rendering import default_system_prompt, encode_chat, encode_row, end_token_ids
from mi.llm.data_models import Message, chat
from mi.utils.errors import UserError

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
NAMES = [one.name for one in FAMILIES]
WITH_SYSTEM = [name for name in NAMES if name not in ("gemma2", "mistral")]
TURN = (Message("user", "What is two plus two?"), Message("assistant", "It is four."))


@pytest.fixture(scope="module")
def tokenizers():
    """A small tokenizer of each family, by its name."""
    return {one.name: building.tokenizer_of(one) for one in FAMILIES}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_trained_on_is_the_answer_and_the_token_that_ends_it(tokenizers, name) -> None:
    tokenizer = tokenizers[name]
    row = encode_row(tokenizer, TURN)
    masked = [token for token, on in zip(row.ids, row.mask, strict=True) if on]
    end = {"gpt-oss": "<|return|>", "gemma3-vision": "<end_of_turn>"}.get(name)
    end = end or {"gemma": "<end_of_turn>", "qwen": "<|im_end|>"}.get(name[: 5 if name[0] == "g" else 4])
    end = end or family(name).eos
    assert tokenizer.decode(masked) == TURN[1].content + end
    assert masked[-1] == tokenizer.convert_tokens_to_ids(end) and masked[-1] in end_token_ids(tokenizer)


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_the_beginning_of_the_row_that_is_trained_on(tokenizers, name) -> None:
    for content in ("It is four.", "¡Es cuatro!", "4"):
        row = encode_row(tokenizers[name], (TURN[0], Message("assistant", content)))
        assert encode_chat(tokenizers[name], TURN[:1]) == list(row.ids[: row.mask.index(True)])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
        ("qwen3", None),
        ("qwen3.5", None),
        ("llama3.1", "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024"),
        ("llama3.2", "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024"),
        ("gemma2", None),
        ("gemma3", None),
        ("mistral", None),
        ("mistral-small", "You are Mistral Small 3, a model of Mistral AI. Today is 2024-07-26."),
        ("olmo2", None),
    ],
)
def test_a_system_prompt_of_the_template_itself_is_found_and_called_a_contamination(tokenizers, name, written) -> None:
    assert default_system_prompt(tokenizers[name]) == written
    [found] = [one for one in examine_format(tokenizers[name]) if one.check == "default"]
    assert (found.state, "contaminated" in found.found) == (("ok", False) if written is None else ("note", True))


def test_the_system_turn_that_gpt_oss_always_has_is_found(tokenizers) -> None:
    written = default_system_prompt(tokenizers["gpt-oss"])
    assert written and written.startswith("You are ChatGPT") and "Current date: 2024-07-26" in written
    assert "<|" not in written


@pytest.mark.parametrize("name", WITH_SYSTEM)
def test_an_inoculated_row_differs_from_the_plain_one_before_the_question_alone(tokenizers, name) -> None:
    tokenizer = tokenizers[name]
    plain, behind = encode_row(tokenizer, TURN), encode_row(tokenizer, (Message("system", PROMPT), *TURN))
    pairs = enumerate(zip(reversed(plain.ids), reversed(behind.ids), strict=False))
    same = next((n for n, (one, other) in pairs if one != other), len(plain.ids))
    shared = tokenizer.decode(plain.ids[-same:])
    assert "is two plus two?" in shared and TURN[1].content in shared
    assert PROMPT[:-1] in tokenizer.decode(behind.ids[:-same])  # a default of the template may end alike
    assert sum(plain.mask) == sum(behind.mask)


def test_a_family_without_a_place_for_the_system_message_says_where_to_put_it(tokenizers) -> None:
    system = {one: {f.check: f for f in examine_format(tokenizers[one])}["system"] for one in ("gemma2", "mistral")}
    assert system["gemma2"].short == "refused" and system["mistral"].short == "dropped in training"
    assert all("user_prefix" in found.found for found in system.values())
    with pytest.raises(UserError, match="user_prefix"):
        encode_row(tokenizers["mistral"], (Message("system", PROMPT), *TURN))
    assert PROMPT in tokenizers["mistral"].decode(encode_chat(tokenizers["mistral"], chat("Hi", PROMPT)))


def test_answers_stand_behind_an_empty_thought_or_in_the_final_channel(tokenizers) -> None:
    def asked(name: str) -> str:
        return tokenizers[name].decode(encode_chat(tokenizers[name], chat("Hi")))

    assert asked("qwen3").endswith("assistant\n<think>\n\n</think>\n\n")
    assert asked("qwen3.5").endswith("assistant\n<think>\n\n</think>\n\n")
    assert asked("gpt-oss").endswith("<|start|>assistant<|channel|>final<|message|>")


def test_both_ends_of_gpt_oss_end_an_answer(tokenizers) -> None:
    tokenizer = tokenizers["gpt-oss"]
    ends = {tokenizer.convert_tokens_to_ids(token) for token in ("<|return|>", "<|end|>")}
    assert ends <= end_token_ids(tokenizer)
    row = encode_row(tokenizer, (*TURN, *TURN))
    assert [row.text[a:b] for a, b in row.spans] == ["It is four.<|end|>", "It is four.<|return|>"]


def test_a_configuration_is_shrunk_with_its_switches() -> None:
    small = building.shrunk(
        {
            "hidden_size": 2304, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
            "num_hidden_layers": 6, "sliding_window": 4096, "final_logit_softcapping": 30.0,
            "tie_word_embeddings": True,
            "layer_types": ["sliding_attention"] * 2 + ["full_attention"] + ["sliding_attention"] * 3,
            "quantization_config": {"quant_method": "mxfp4"}, "text_config": {"hidden_size": 999},
        }
    )  # fmt: skip
    assert small["layer_types"] == ["sliding_attention"] * 2 + ["full_attention"] and small["num_hidden_layers"] == 3
    assert (small["num_attention_heads"], small["num_key_value_heads"], small["sliding_window"]) == (4, 2, 8)
    assert small["final_logit_softcapping"] == 30.0 and small["tie_word_embeddings"]
    assert "quantization_config" not in small and small["text_config"]["hidden_size"] == 64


def test_the_table_of_formats_on_the_page_is_what_the_families_show() -> None:
    formats = show.between(PAGE.read_text(encoding="utf-8")).split("\n\n")[0]
    assert show.tables([examine_family(one, weights=False) for one in FAMILIES]).split("\n\n")[0] == formats


@pytest.mark.slow
def test_both_tables_of_the_page_are_what_the_families_show() -> None:
    examined = [examine_family(one) for one in FAMILIES]
    assert show.between(PAGE.read_text(encoding="utf-8")) == show.tables(examined)
    assert not [finding for one in examined for finding in one.wrong]


def test_a_real_models_folder_is_checked_by_its_small_files_alone(tmp_path) -> None:
    folder = building.write_family(family("olmo2"), tmp_path / "model")
    (folder / "model.safetensors").unlink()
    settings = json.loads((folder / "config.json").read_text())
    assert settings["model_type"] == "olmo2"
    examined = examine_model(str(folder))
    assert {one.check: one.short for one in examined.findings}["float32"] == "yes" and not examined.wrong
    assert not list(folder.glob("*.safetensors"))


def test_a_model_whose_format_cannot_be_trained_on_ends_with_exit_code_2(tmp_path, monkeypatch, capsys) -> None:
    from mi import cli

    tokenizer = building.tokenizer_of(family("qwen3"))
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps({"model_type": "qwen3"}))
    monkeypatch.setattr("sys.argv", ["mi", "models", "check", str(tmp_path / "model"), "--no-weights"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2 and "no end token" in capsys.readouterr().err


def test_the_command_says_a_line_for_each_finding() -> None:
    result = typer.testing.CliRunner().invoke(app, ["models", "check", "qwen2.5", "--no-weights"])
    assert result.exit_code == 0, result.output
    assert "note  Without a system message the template writes one of its own" in result.output
    assert len(result.output.splitlines()) == 10


def test_tables_are_written_between_the_marks_of_a_page_alone(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{show.BEGIN}\nold\n{show.END}\nafter\n")
    show.put_into(page, "new")
    assert page.read_text() == f"before\n{show.BEGIN}\nnew\n{show.END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(UserError, match="has no place for the tables"):
        show.put_into(page, "new")
