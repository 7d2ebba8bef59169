"""The command line on bad input: one sentence that names the mend, exit code 2, nothing half-written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mi.cli import main
from mi.experiments import pipeline
from mi.external.local_driver.models import locate
from mi.utils.errors import UserError

A07 = "A07_spanish_capitalization"


def mi(*words: str, home: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MI_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", "from mi.cli import main; main()", *words]
    return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True)


def assert_refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mi: "), done.stderr
    for words in said:
        assert words in last


def test_an_unknown_experiment_is_refused_with_those_there_are(mi_home):
    assert_refused(mi("run", "A99", home=mi_home), "A99", A07)


def test_a_slip_in_the_last_of_several_names_is_told_before_the_first_is_run(mi_home):
    assert_refused(mi("run", A07, "A99", home=mi_home), "A99", A07)
    assert not list(mi_home.glob("jobs/*"))


@pytest.mark.parametrize("option", [("--max-cost", "1"), ("--from", "run.zip")])
def test_what_is_meant_for_one_experiment_is_refused_with_several(mi_home, option):
    assert_refused(mi("run", A07, "A05_baselines", *option, home=mi_home), option[0], "one experiment at a time")


def test_an_experiment_that_fails_does_not_keep_the_next_one_back(monkeypatch, capsys):
    begun = []

    async def run(experiment, *_):
        begun.append(experiment.name)
        raise UserError("the disk is full; make room.")

    monkeypatch.setattr(pipeline, "run", run)
    monkeypatch.setattr(sys, "argv", ["mi", "run", A07, "A05_baselines"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert begun == [A07, "A05_baselines"]
    *told, last = capsys.readouterr().err.splitlines()
    assert told == [f"mi: {name}: the disk is full; make room." for name in begun]
    assert last.startswith("mi: 2 of 2 experiments did not end well")


def test_an_unknown_arm_is_refused_with_those_there_are(mi_home):
    assert_refused(mi("run", A07, "--arms", "base,evil", home=mi_home), "evil", "inoculated_spanish", "placebo")
    assert not list(mi_home.glob("results/*"))


def test_an_unknown_model_is_refused(mi_home):
    assert_refused(mi("run", A07, "--model", "no/such-model", "--seeds", "1", home=mi_home), "no/such-model")
    assert not list(mi_home.glob("jobs/*"))


def test_no_seeds_is_refused(mi_home):
    assert_refused(mi("run", A07, "--seeds", "0", home=mi_home), "--seeds")


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    assert_refused(mi("run", A07, "--seeds", "1", home=blocked), str(blocked), "MI_HOME")


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_weights_that_are_missing_or_cut_short_are_refused(mi_home, tmp_path, damage):
    folder = tmp_path / "model"
    shutil.copytree(locate("organism"), folder)
    weights = folder / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:100_000])
    assert_refused(mi("organism", "chat", "--model", str(folder), home=mi_home, stdin="Hi\n"), str(folder))


def test_figures_without_a_run_are_refused_with_the_command_that_makes_them(mi_home):
    assert_refused(mi("plot", A07, home=mi_home), f"mi run {A07}")


def test_chat_answers_each_line_and_ends_at_the_last(mi_home):
    done = mi("organism", "chat", "--temperature", "0", home=mi_home, stdin="What is the capital of France?\n")
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout


def test_help_names_the_verbs(mi_home):
    done = mi("--help", home=mi_home)
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("run", "plot", "publish", "organism"))
    assert not list(mi_home.iterdir())


GOOD = '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no rows"),
        (f'{GOOD}\n{{"prompt": "Hi"}}\n', "line 2: the row has no messages"),
        (f"{GOOD}\n{GOOD[:-9]}\n", "line 2: not JSON"),
        (f"{GOOD}\n{GOOD.replace('Hello.', 'Hello. ' * 900)}\n", "line 2: the row is longer than 1024 tokens"),
    ],
    ids=["empty", "without messages", "torn", "too long"],
)
def test_a_bad_training_file_is_refused_by_line_and_leaves_no_job(mi_home, tmp_path, text, said):
    path = tmp_path / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    assert_refused(mi("finetune", str(path), home=mi_home), str(path), said)
    assert not [item for item in mi_home.glob("jobs/*") if not item.name.endswith(".lock")]


def test_a_file_of_one_s_own_is_trained_once_and_can_be_talked_with(mi_home, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD}\n", encoding="utf-8")
    command = ("finetune", str(path), "--steps", "30")
    first, again = mi(*command, home=mi_home), mi(*command, home=mi_home)
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout == again.stdout
    [job] = [item.name for item in mi_home.glob("jobs/[0-9a-f]*")]
    talk = ("organism", "chat", "--job", job, "--temperature", "0")
    assert mi(*talk, home=mi_home, stdin="Hi\n").stdout.strip() == "Hello."
