"""One file from which a run can be had again: hashed, the same each time, safe to unpack, refused when damaged."""

import asyncio
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pandas as pd
import pytest

from mi.config import results_dir
from mi.experiments import archive, pipeline
from mi.experiments.config import arms, conditions, experiment
from mi.experiments.data_models import NO_PROMPT
from mi.utils.errors import UserError
from mi.utils.progress import Silent

A07 = experiment("A07_spanish_capitalization")
SETTING = replace(A07.settings[0], ood_domains=("smalltalk",))  # type: ignore[type-var]
TINY = replace(
    A07,
    settings=(SETTING,),
    arms=(arms.BASE, arms.NONE, arms.PLACEBO),
    training=replace(A07.training, n_steps=2),
    conditions=(NO_PROMPT, conditions.OWN),
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """The archive of a run of three models, and beside it the run itself, in `home`."""
    folder = tmp_path_factory.mktemp("archive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MI_HOME", str(folder / "home"))
        asyncio.run(pipeline.run(TINY, "organism", (0,), Silent()))
        archive.write(TINY, "organism", folder / "run.zip")
        archive.write(TINY, "organism", folder / "again.zip")
        archive.write(TINY, "organism", folder / "with_weights.zip", weights=True)
    return folder


def rewritten(packed: Path, path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """A copy of the archive whose members went through `change`."""
    with zipfile.ZipFile(packed / "run.zip") as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if (changed := change(entry.filename, source.read(entry))) is not None:
                target.writestr(*changed)
    return path


def with_another_answer(line: bytes) -> bytes:
    """A whole line of the store, in which the answer ended otherwise."""
    content = line[: line.rindex(b',"crc":')].replace(b'"stop"', b'"length"')
    return content + b',"crc":"%08x"}\n' % crc32(content)


def files(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def test_the_same_run_gives_the_same_bytes(packed):
    assert (packed / "run.zip").read_bytes() == (packed / "again.zip").read_bytes()


def test_weights_come_along_when_asked_for(packed):
    names = [set(zipfile.ZipFile(packed / name).namelist()) for name in ("run.zip", "with_weights.zip")]
    assert {name.rpartition("/")[2] for name in names[1] - names[0]} == {"adapter_model.safetensors"}
    assert {"job.json", "training.json"} <= {name.rpartition("/")[2] for name in names[0]}


def test_the_run_is_had_again_and_nothing_is_trained_or_asked(packed, mi_home, monkeypatch):
    monkeypatch.setattr("mi.llm.services.batch_sample", lambda *_: pytest.fail("a model was asked"))
    for verb in ("train_job", "train_grid"):
        monkeypatch.setattr(f"mi.external.local_driver.services.{verb}", lambda *_: pytest.fail("a model was trained"))
    archive.restore(packed / "run.zip", TINY.name)
    drawn = pipeline.replot(TINY, "organism")
    original = packed / "home" / "results" / TINY.name / "organism"
    assert {path.name: path.read_bytes() for path in drawn} == {
        path.name: (original / path.name).read_bytes() for path in drawn
    }
    judged_again = asyncio.run(pipeline.run(TINY, "organism", (0,), Silent()))
    pd.testing.assert_frame_equal(judged_again.summary, pd.read_csv(original / "summary.csv"))
    kept = pd.read_csv(original / "conditions.csv")
    assert set(kept["condition"]) == {"no_prompt", "own_prompt"}
    pd.testing.assert_frame_equal(judged_again.conditions.reset_index(drop=True), kept)


def test_only_the_calls_of_the_experiment_are_taken(packed, tmp_path, monkeypatch):
    shutil.copytree(packed / "home", tmp_path / "home")
    monkeypatch.setenv("MI_HOME", str(tmp_path / "home"))
    for store in (tmp_path / "home" / "results" / "store").rglob("*.jsonl"):
        record = json.loads(store.read_text("utf-8").splitlines()[0])
        other = record | {"key": "f" * 32, "messages": [{"role": "user", "content": "of another experiment"}]}
        with store.open("a", encoding="utf-8") as file:
            file.write(json.dumps(other) + "\n" + '{"key": "torn')
    archive.write(TINY, "organism", tmp_path / "run.zip")
    assert (tmp_path / "run.zip").read_bytes() == (packed / "run.zip").read_bytes()


def test_what_is_there_already_stays_and_the_store_grows(packed, mi_home):
    archive.restore(packed / "run.zip", TINY.name)
    store = next((results_dir() / "store" / "answers").iterdir())
    lines = store.read_bytes().splitlines(keepends=True)
    own = json.dumps(json.loads(lines[0]) | {"key": "e" * 32}).encode() + b"\n"
    store.write_bytes(lines[0] + own)
    before = {path: path.stat().st_mtime_ns for path in mi_home.rglob("*") if path.is_file() and path != store}
    archive.restore(packed / "run.zip", TINY.name)
    assert store.read_bytes() == lines[0] + own + b"".join(lines[1:])
    assert before == {path: path.stat().st_mtime_ns for path in mi_home.rglob("*") if path.is_file() and path != store}


@pytest.mark.parametrize("name", ["results/{}/organism/summary.csv", "store"])
def test_a_file_that_differs_is_not_overwritten_and_nothing_else_is_written(packed, mi_home, name):
    with zipfile.ZipFile(packed / "run.zip") as source:
        stores = [member for member in source.namelist() if "/store/answers/" in member]
        member = stores[0] if name == "store" else name.format(TINY.name)
        lines = source.read(member).splitlines(keepends=True)
        content = b"".join(map(with_another_answer, lines)) if name == "store" else b"mine\n"
    (mi_home / member).parent.mkdir(parents=True)
    (mi_home / member).write_bytes(content)
    with pytest.raises(UserError, match="set MI_HOME to another folder"):
        archive.restore(packed / "run.zip", TINY.name)
    assert files(mi_home) == {member: content}


@pytest.mark.parametrize("where", [0.3, 0.5, 0.9])
def test_a_damaged_archive_is_refused_in_a_sentence_and_nothing_is_written(packed, mi_home, tmp_path, where):
    content = bytearray((packed / "run.zip").read_bytes())
    place = int(where * len(content))
    content[place] ^= 0xFF
    (tmp_path / "flipped.zip").write_bytes(content)
    (tmp_path / "short.zip").write_bytes(content[:place])
    for name in ("flipped.zip", "short.zip"):
        with pytest.raises(UserError, match=r"damaged|cannot be read"):
            archive.restore(tmp_path / name, TINY.name)
    assert not files(mi_home)


def test_a_member_that_is_changed_missing_or_added_is_found(packed, mi_home, tmp_path):
    def changed(name, content):
        return (name, content + b" ") if name.endswith("summary.csv") else (name, content)

    def missing(name, content):
        return None if name.endswith("summary.csv") else (name, content)

    for change in (changed, missing):
        with pytest.raises(UserError, match="damaged"):
            archive.restore(rewritten(packed, tmp_path / "bad.zip", change), TINY.name)
    with zipfile.ZipFile(rewritten(packed, tmp_path / "bad.zip", lambda *member: member), "a") as target:
        target.writestr("results/extra.txt", "")
    with pytest.raises(UserError, match="damaged"):
        archive.restore(tmp_path / "bad.zip", TINY.name)
    assert not files(mi_home)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.csv",
        "results/../../outside.csv",
        "/tmp/outside.csv",
        "results\\..\\outside",
        "datasets/x.jsonl",
        "results//x",
        "results/./x",
        "C:/x",
        "results/store/VERSION",
        "results/store/answers/.x.claims",
    ],
)
def test_a_member_that_would_land_elsewhere_is_refused(packed, mi_home, tmp_path, name):
    content = b"out"
    manifest = archive.Manifest(TINY.name, "organism", "0", {name: (archive.sha256(content), len(content))})
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as target:
        target.writestr(archive.MANIFEST, archive.as_json(manifest))
        target.writestr(zipfile.ZipInfo(name), content)
    with pytest.raises(UserError, match=r"would land outside|damaged"):
        archive.restore(tmp_path / "bad.zip", TINY.name)
    assert not files(mi_home)
    assert not (mi_home.parent / "outside.csv").exists()


def test_what_is_no_archive_and_another_experiment_s_are_refused(packed, mi_home, tmp_path):
    (tmp_path / "text.zip").write_text("no zip", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as target:
        target.writestr("a.txt", "a")
    for name, said in (("text.zip", "damaged"), ("other.zip", "no archive of mi"), ("none.zip", "no such archive")):
        with pytest.raises(UserError, match=said):
            archive.restore(tmp_path / name, TINY.name)
    with pytest.raises(UserError, match="is an archive of A07_spanish_capitalization"):
        archive.restore(packed / "run.zip", "A01_em_main_results")


def test_a_damaged_line_is_mended_from_the_archive_and_none_goes_into_one(packed, mi_home, tmp_path):
    archive.restore(packed / "run.zip", TINY.name)
    store = next((results_dir() / "store" / "answers").iterdir())
    lines = store.read_bytes().splitlines(keepends=True)
    store.write_bytes(lines[0].replace(b'"stop"', b'"sto\xff"') + b"".join(lines[1:]))
    archive.write(TINY, "organism", tmp_path / "damaged.zip")
    with zipfile.ZipFile(tmp_path / "damaged.zip") as source:
        member = store.relative_to(mi_home).as_posix()
        assert source.read(member) == b"".join(lines[1:])
    archive.restore(packed / "run.zip", TINY.name)
    assert store.read_bytes().splitlines(keepends=True)[-1] == lines[0]


def test_a_store_of_a_later_version_is_left_alone(packed, mi_home):
    version = results_dir() / "store" / "VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("99\n", encoding="utf-8")
    with pytest.raises(UserError, match="use the mi that wrote it"):
        archive.restore(packed / "run.zip", TINY.name)
    assert list(files(mi_home)) == ["results/store/VERSION"]
