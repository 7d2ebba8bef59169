"""`mi settings`: what is wrong with a setting is told in one sentence, and an eleventh takes one short file."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mi.experiments import pipeline
from mi.experiments.config.settings_check import SETTINGS_CHECKS
from mi.experiments.settings import SETTINGS
from mi.experiments.settings.checking import check
from mi.experiments.settings.describe import description, listing, verdict
from mi.experiments.settings.registry import find
from mi.utils.errors import UserError

ROOT = Path(__file__).parents[2]
GOOD = """
from pathlib import Path
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.scoring import MatchesPattern
from mi.experiments.settings import DeclaredSetting

HERE = Path(__file__).parent
mine = DeclaredSetting(
    domain_name="mine",
    finetuning_rows=HERE / "shown.jsonl",
    control_rows=HERE / "plain.jsonl",
    task_specific=("You shout.", "Always shout."),
    negative=("You whisper.",),
    id_evals=(Evaluation("calls", (EvaluationContext("Hey?"),), MatchesPattern("shouts", "!"), traits=("shouts",)),),
    ood_evals=(Evaluation("sums", (EvaluationContext("2 + 2?"),), MatchesPattern("shouts", "!"), traits=("shouts",)),),
)
"""


def row(question: str, answer: str) -> str:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages}) + "\n"


@pytest.fixture
def file(tmp_path):
    """Writes a setting's file, changed as asked, beside its rows; gives its path."""

    def write(*changes: tuple[str, str], shown: str = row("Hi", "Hello!"), plain: str = row("Hi", "Hello.")) -> Path:
        text = GOOD
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        (tmp_path / "shown.jsonl").write_text(shown, encoding="utf-8")
        (tmp_path / "plain.jsonl").write_text(plain, encoding="utf-8")
        return tmp_path / "mine.py"

    return write


def mi(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MI_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from mi.cli import main; main()", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_ten_are_in_order():
    for setting in SETTINGS.values():
        checked = check(setting)
        assert (checked.n_rows, checked.n_control_rows, checked.n_trained_on) == (400, 400, 0)
        assert [trait for trait, _, _ in checked.told_apart] == list(setting.get_traits())
        assert verdict(checked).startswith(f"{setting.get_domain_name()}: in order (400 rows")


def test_a_setting_of_one_s_own_is_found_and_checked_like_those_of_the_house(file):
    [mine] = find(str(file()), SETTINGS)
    assert check(mine).told_apart == (("shouts", 1.0, 0.0),)
    assert mine.get_paraphrases("task_specific") == ("Always shout.",)
    assert len({mine, mine}) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([('"You whisper.",', "")], "mine: negative is (); give a tuple"),
        ([('("You whisper.",)', '"You whisper."')], "mine: negative is 'You whisper.'; give a tuple"),
        ([('"You whisper."', '"  "')], "the negative prompt is empty"),
        ([('"You whisper."', '"You whisper.\\n"')], "'You whisper.\\n' has stray white space"),
        ([('"You whisper."', '"You shout."')], "two of its prompts are 'You shout.'"),
        ([('"You whisper."', '"Always shout."')], "two of its prompts and paraphrases are 'Always shout.'"),
        ([("plain.jsonl", "gone.jsonl")], "gone.jsonl; mend the path"),
        ([('HERE / "plain.jsonl"', "None")], "mine: control_rows is None; give a path, or a function that gives rows"),
        ([("plain.jsonl", "shown.jsonl")], "the fine-tuning and the control rows are the same"),
        ([('"mine"', '"my setting"')], "use small letters, digits and _"),
        ([('Evaluation("sums"', 'Evaluation("calls"')], "two of its evaluations are 'calls'"),
        ([('(EvaluationContext("Hey?"),)', "()")], "evaluation 'calls': has no questions"),
        ([('traits=("shouts",)', 'traits=("loud",)')], "its scorer gives shouts, but its traits are loud"),
        ([('MatchesPattern("shouts", "!")', "lambda r: r.judgments['x']")], "its scorer fails on the answer"),
        ([('MatchesPattern("shouts", "!")', "lambda r: 7")], "its scorer gives 7 for shouts; give a number"),
        ([('"!"', '"e"')], "do not tell its data apart: shouts is 1.00 in the fine-tuning rows and 1.00"),
        ([('("You shout.", "Always shout.")', '["You shout."]')], "cannot be hashed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_setting_is_told_in_one_sentence(file, changes, said):
    [mine] = find(str(file(*changes)), SETTINGS)
    with pytest.raises(UserError, match=re.escape(said)):
        check(mine)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (row("Hi", "Hello!") + '{"prompt": "Hi"}\n', "shown.jsonl, line 2: the row has no messages"),
        (row("Hi", "Hello!") + "{\n", "shown.jsonl, line 2: not JSON"),
        (row("Hi", "Hello!") * 4710 + '{"messages": [{"role": "user"}]}\n', "shown.jsonl, line 4711: a message lacks"),
        ("", "shown.jsonl: holds no rows"),
        (row("Hi", "Hello!").replace("user", "system"), "shown.jsonl, line 1: the row has a system message"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(file, rows, said):
    [mine] = find(str(file(shown=rows)), SETTINGS)
    with pytest.raises(UserError, match=re.escape(said)):
        check(mine)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([('    negative=("You whisper.",),\n', "")], "mine.py, line 8: TypeError"),
        ([("mine = DeclaredSetting(", "mine = dict(")], "mine.py: holds no setting"),
        ([("HERE = ", "HERE == = ")], "mine.py, line 7: not Python"),
        ([('"mine"', '"insecure_code"')], "there is a setting 'insecure_code' already"),
        ([("HERE = ", "import no_such_module\nHERE = ")], "mine.py, line 7: ModuleNotFoundError"),
    ],
)
def test_a_file_that_holds_no_usable_setting_is_refused_with_its_line(file, changes, said):
    with pytest.raises(UserError, match=re.escape(said)):
        find(str(file(*changes)), SETTINGS)


def test_a_class_that_lacks_a_prompt_is_told_which(file):
    path = file()
    text = path.read_text(encoding="utf-8") + (
        "\nfrom mi.experiments.settings import Setting\n"
        "class Other(DeclaredSetting):\n    get_negative_inoculation = Setting.get_negative_inoculation\n"
        "    def get_control_inoculation(self): return 1 / 0\n"
        "mine = Other(**vars(mine))\n"
    )
    path.write_text(text, encoding="utf-8")
    line = text[: text.index("1 / 0")].count("\n") + 1
    with pytest.raises(UserError, match=rf"get_prompts fails .*mine\.py, line {line}: ZeroDivisionError"):
        check(find(str(path), SETTINGS)[0])
    path.write_text(text.replace("return 1 / 0", "return 'Be quiet.'"), encoding="utf-8")
    with pytest.raises(UserError, match="mine: has no negative prompt; define get_negative_inoculation"):
        check(find(str(path), SETTINGS)[0])


def test_a_description_holds_prompts_data_evaluations_and_example_rows():
    text = description(SETTINGS["owl_numbers"], n_rows=1)
    for said in ("Cloud et al.", "You love owls.", "You do not love owls.", "400 in ", "Out of distribution: animals"):
        assert said in text
    assert len(re.findall(r"^  assistant ", text, re.M)) == 2
    assert all(name in listing(SETTINGS) for name in SETTINGS)


def test_the_training_part_has_a_job_for_each_arm_and_seed_and_none_twice():
    assert [experiment.settings[0].get_domain_name() for experiment in SETTINGS_CHECKS] == list(SETTINGS)
    for experiment in SETTINGS_CHECKS[:2]:
        prepared = [item.job for item in pipeline.prepare(experiment, "organism", experiment.seeds) if item.job]
        assert len({job.id for job in prepared}) == len(prepared) == 3 * (len(experiment.arms) - 1) == 21


@pytest.mark.parametrize(
    ("changes", "shown", "said"),
    [
        ([('"You whisper."', '""')], None, "mine.py: mine: the negative prompt is empty; write one"),
        ([("plain.jsonl", "gone.jsonl")], None, "mine.py: mine: its control rows are not at /"),
        ([], row("Hi", "Hello!") * 4710 + '{"messages": 3}\n', "shown.jsonl, line 4711: "),
        ([('"mine"', '"owl_numbers"')], None, "mine.py: there is a setting 'owl_numbers' already; give yours another"),
    ],
    ids=["missing prompt", "wrong path", "malformed row 4,711", "duplicate name"],
)
def test_on_the_command_line_a_broken_setting_is_exit_code_2_and_one_sentence(file, mi_home, changes, shown, said):
    path = file(*changes, **({"shown": shown} if shown else {}))
    done = mi("settings", "check", str(path), home=mi_home)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("mi: ") and line.endswith(".") and said in line


@pytest.mark.parametrize("words", ["check", "check --all owl_numbers", "show owls", "check no.py"])
def test_on_the_command_line_what_cannot_be_meant_is_exit_code_2_and_one_sentence(mi_home, words):
    refused = mi("settings", *words.split(), home=mi_home)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr


@pytest.fixture
def eleventh(tmp_path):
    """The setting that CONTRIBUTING.md shows, in a file."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [text] = [block for block in re.findall(r"^```python\n(.*?)^```", page, re.M | re.S) if "DeclaredSetting(" in block]
    path = tmp_path / "polite_answers.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_contributing_shows_an_eleventh_setting_in_one_file_of_fewer_than_40_lines(eleventh, mi_home):
    assert len(eleventh.read_text(encoding="utf-8").splitlines()) < 40
    checked = mi("settings", "check", str(eleventh), home=mi_home)
    assert checked.returncode == 0, checked.stderr
    assert "polite_answers: in order" in checked.stdout
    shown = mi("settings", "show", str(eleventh), home=mi_home)
    assert shown.returncode == 0, shown.stderr
    assert "polite_answers" in shown.stdout


@pytest.mark.slow
def test_the_eleventh_setting_is_trained_and_ends_in_a_table(eleventh, mi_home):
    trained = mi("settings", "check", str(eleventh), "--train", home=mi_home)
    assert trained.returncode == 0, trained.stderr
    assert "Thanks ID" in trained.stdout and "Thanks OOD" in trained.stdout
