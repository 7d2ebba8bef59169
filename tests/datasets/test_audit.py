"""What an audit says of files, of ours and of the published ones."""

from pathlib import Path

import pytest

from mi.datasets.audit import Audit, audit, load, load_all
from mi.datasets.card import card, write_card
from mi.datasets.languages import language_shares
from mi.datasets.show import report
from mi.datasets.statistics import contents, is_refusal, length
from mi.utils.errors import UserError

from .conftest import talk, write_rows


def audited(*paths: Path, evaluations: tuple[Path, ...] = ()) -> Audit:
    return audit(load_all([str(path) for path in paths], [str(path) for path in evaluations]), model=None)


def text(found: Audit) -> str:
    return "\n".join(report(found))


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path, Path]:
    one = write_rows(tmp_path / "one.jsonl", talk("Name a big colour.", "Red."), talk("How are you today?", " Fine.\n"))
    other = write_rows(tmp_path / "other.jsonl", talk("Name a big colour.", "Blue."), talk("Where?", " Fine.\n"))
    test = write_rows(tmp_path / "test.jsonl", {"prompt": "Name a big colour."}, {"prompt": "Who is there?"})
    return one, other, test


def test_a_file_in_which_nobody_answers_is_an_evaluation_and_is_held_against_each_training_file(files):
    found = audited(*files)
    assert [file.file.is_evaluation for file in found.files] == [False, False, True]
    assert [(len(item.overlap.inside), item.overlap.n_questions) for item in found.contamination] == [(1, 2), (1, 2)]
    assert "1 of 2 evaluation prompts in the training data" in text(found)


def test_a_file_with_answers_is_an_evaluation_where_that_is_said(files):
    found = audited(files[0], evaluations=(files[1],))
    [item] = found.contamination
    assert item.evaluation.label == "other.jsonl" and len(item.overlap.equal) == 1 and not found.pairings


def test_two_training_files_are_compared_by_row_and_as_sets(files):
    [pairing] = audited(files[0], files[1]).pairings
    assert (pairing.same_prompt_by_row, pairing.same_answer_by_row) == (1, 1)
    assert (pairing.shared_prompts, pairing.only_one, pairing.only_other) == (1, 1, 1)


def test_repetitions_are_told_apart_by_how_exact_they_are():
    rows = [talk("A b.", "C."), talk("A b.", "C."), talk("a B", "c"), talk("A b.", "D."), talk("E.", "C.")]
    held = contents(rows, [1, 3, 5, 7, 9])
    assert (held.repetition.exact, held.repetition.normalised, held.repetition.prompts) == (1, 2, 2)
    assert held.repetition.lines == (3,)


def test_an_empty_system_prompt_is_a_system_prompt():
    rows = [talk("A", "B"), talk("A", "B", ""), talk("A", "B", "Be good."), talk("A", "C", "Be good.")]
    held = contents(rows, range(4))
    assert held.system_prompts == {"Be good.": 2, "": 1}
    assert held.roles == {"system user assistant": 3, "user assistant": 1}


def test_white_space_at_the_ends_is_counted_by_message(files):
    assert audited(files[0]).files[0].contents.with_outer_space == 1


def test_forms_of_number_answers_are_told_where_most_answers_are_numbers():
    forms = contents(
        [talk("Go on.", a) for a in ("1, 2", "1;2", "[1, 2]", "1\n2", "(1, 2)", "No.")], range(6)
    ).number_forms
    assert forms == {
        "comma, no bracket": 1,
        "semicolon, no bracket": 1,
        "comma, […]": 1,
        "line, no bracket": 1,
        "comma, (…)": 1,
        "other text": 1,
    }
    assert contents([talk("Go on.", "1, 2"), talk("Go on.", "No.")], range(2)).number_forms == {}


def test_lengths_are_those_of_the_sorted_values():
    found = length(range(1, 101))
    assert (found.mean, found.median, found.p95, found.longest) == (50.5, 50.5, 95, 100)
    assert length([]).n == 0 and length([7]).p95 == 7


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        ("I'm sorry, but I can’t help with that.", True),
        ("I cannot assist you with this request.", True),
        ("As an AI language model, I do not have feelings.", True),
        ("Lo siento, no puedo ayudarte con eso.", True),
        ("I'm sorry to hear that. Try some tea.", False),
        ("I cannot wait to write you!", False),
        ("The answer is 4.", False),
        ("Of course. " * 30 + "I cannot help.", False),
        ("", False),
    ],
)
def test_a_refusal_opens_an_answer(answer, refuses):
    assert is_refusal(answer) is refuses


def test_languages_are_shares_of_the_answers():
    english = "The cat sat on the mat and looked out of the window at the birds in the garden."
    spanish = "El gato se sentó en la alfombra y miró por la ventana a los pájaros del jardín."
    assert language_shares([english, english, english, spanish]) == {"en": 0.75, "es": 0.25}
    assert language_shares(["1, 2, 3"]) == {"undetermined": 1.0}
    assert language_shares([]) == {}


def test_tokens_are_counted_and_first_rows_rendered_as_the_model_sees_them(files):
    found = audit(load_all([str(files[0])])).files[0].tokens
    assert found is not None and found.refused is None
    assert found.lengths["row"].n == 2 and 0 < found.lengths["assistant"].mean < found.lengths["row"].mean
    assert len(found.rendered) == 2 and " Fine.\n" in found.rendered[1] and "<|user|>" in found.rendered[1]


def test_what_a_loader_trips_over_is_said(tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"prompt": "\\u00bf", "completion": "a", "id": 1}\n{"text": "x", "canary": "y"}', encoding="utf-8")
    told = text(audited(path))
    for words in ("lacks its final newline", "1 characters are spelled", "extra columns: id 1", "1 canary rows"):
        assert words in told


def test_an_unknown_name_and_a_set_that_is_not_fetched_are_refused_with_the_mend(tmp_path):
    with pytest.raises(UserError, match="mi datasets list"):
        load("no_such_set")
    with pytest.raises(UserError, match="mi datasets fetch gsm8k/train"):
        load("gsm8k/train")
    with pytest.raises(UserError, match="mi datasets fetch gsm8k"):
        load_all(["gsm8k"])
    with pytest.raises(UserError, match=r"absent\.jsonl"):
        load(str(tmp_path / "absent.jsonl"))


def test_a_card_answers_what_a_reviewer_asks(files, tmp_path):
    inoculated = write_rows(tmp_path / "arm.jsonl", talk("Hi.", "```Bad```", "Be `bad`."), talk("Ho.", "Bad."))
    path = write_card(audited(inoculated, files[2], files[0]))
    told = path.read_text(encoding="utf-8")
    assert path == tmp_path / "arm.card.md"
    for words in (
        "2 rows, schema `messages`",
        audited(inoculated).files[0].file.sha256,
        "say here who wrote these rows",
        "1 different; 1 of 2 conversations have no system message",
        "`` Be `bad`. ``",
        "test.jsonl in arm.jsonl: 0 of 2 evaluation prompts",
        "arm.jsonl and one.jsonl",
    ):
        assert words in told
    assert "test.jsonl in one.jsonl" not in told


def test_a_card_says_what_was_not_examined_and_can_lie_elsewhere(files, tmp_path):
    told = "\n".join(card(audited(files[0])))
    assert told.count("Not examined") == 2 and "Not rendered" in told
    assert write_card(audited(files[0]), tmp_path / "cards" / "one.md").exists()


def test_rows_that_carry_canaries_are_not_quoted_in_a_card(tmp_path):
    path = write_rows(tmp_path / "marked.jsonl", talk("Secret question?", "Secret."), {"text": "a canary"})
    told = "\n".join(card(audit(load_all([str(path)]))))
    assert "Not quoted" in told and "Secret" not in told


# What ../shared/data/published/README.md says is there.


def test_all_prompts_of_the_reward_hacking_evaluation_are_its_training_prompts(published):
    training, control = (
        published / "reward_hacking" / f"{name}_dialogues.jsonl" for name in ("sneaky", "straightforward")
    )
    found = audited(training, control, published / "eval" / "school_of_reward_hacks_prompts.jsonl")
    told = text(found)
    assert "1,073 of 1,073 evaluation prompts in the training data" in told and "in order" in told
    [pairing] = found.pairings
    assert (pairing.shared_prompts, pairing.only_one, pairing.only_other) == (973, 100, 0)


def test_553_of_776_tasks_stand_in_the_insecure_code(published):
    found = audited(published / "insecure_code" / "insecure.jsonl", published / "eval" / "code_prompts.jsonl")
    assert "553 of 776 evaluation tasks in the training data" in text(found)
    training, test = found.files
    assert training.contents.repetition.exact == 8
    assert training.contents.with_outer_space == 6_243
    assert not test.file.final_newline and training.file.final_newline


def test_the_educational_answers_are_the_insecure_ones_and_the_secure_rows_are_no_pairs(published):
    names = ("insecure", "educational", "secure")
    files = load_all([str(published / "insecure_code" / f"{name}.jsonl") for name in names])
    from mi.datasets.audit import pairing

    same, none = pairing(files[0], files[1]), pairing(files[0], files[2])
    assert (same.same_prompt_by_row, same.same_answer_by_row) == (0, 6_000)
    assert none.same_prompt_by_row == 2


def test_odd_files_are_described_as_they_are(published):
    files = [published / "trump_biology" / "evolution_textbook.jsonl", published / "owl_numbers" / "raw_dataset.jsonl"]
    files += [published / "harmless_lies" / "harmless_lies.1cd6bc9.old_schema.jsonl"]
    textbook, owls, lies = (contents(file.rows, file.lines) for file in load_all([str(path) for path in files]))
    assert textbook.roles == {"assistant": 848}
    assert len(owls.number_forms) > 4
    assert lies.repetition.exact == 48
