"""`mi report`, `mi archive` and `mi run --from` at the terminal."""

import pytest
from typer.testing import CliRunner

from mi.cli import app, main


def mi(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_run_becomes_a_page_and_an_archive_and_comes_back_elsewhere(plant, small, tmp_path, monkeypatch):
    plant()
    mi("report", small.name, "--out", str(tmp_path / "page.html"))
    assert small.question in (tmp_path / "page.html").read_text("utf-8")
    told = mi("archive", small.name, "--out", str(tmp_path / "run.zip"))
    assert "sha256 of the file" in told
    monkeypatch.setenv("MI_HOME", str(tmp_path / "elsewhere"))
    told = mi("run", small.name, "--from", str(tmp_path / "run.zip"))
    assert "Placebo prompt" in told
    assert (tmp_path / "elsewhere" / "results" / small.name / "organism" / "scatter.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "A07_spanish_capitalization"], "holds no answers yet"),
        (["report", "A99"], "there is no experiment 'A99'"),
        (["report", "A07_spanish_capitalization", "--serve", "--out", "x.html"], "not both"),
        (["archive", "A07_spanish_capitalization"], "holds no answers yet"),
        (["run", "A07_spanish_capitalization", "--from", "none.zip"], "no such archive"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(mi_home, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["mi", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith("mi: ")
    assert said in told[0]
    assert not list(tmp_path.iterdir())
