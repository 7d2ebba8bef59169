"""What the reference implementation got wrong about settings and data, each held as the behaviour that is wanted.

The number beside a test is that of the defect in our list ("1.3" is the paragraph of another one, on which subset is
fetched). Others of that list are held elsewhere: 3 and 4 (nothing on import) by tests/test_architecture, 6 by
tests/test_docs, 9 and 13 (whole files or none) by test_services, 34 and 35 by tests/evaluation/test_wanted_behaviour,
36 (shares are rounded) and 41 (rows are never changed) by test_transformations.
"""

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

from mi import config
from mi.datasets import catalogue, fetching
from mi.experiments import settings as package
from mi.experiments.settings import PUBLISHED, SCALES, SETTINGS, Setting
from mi.experiments.utils import create_inoculated_dataset
from mi.llm.rows import read_rows
from mi.utils.errors import UserError

OWLS = SETTINGS["owl_numbers"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_asking_a_setting_for_its_data_fetches_nothing_and_says_how_to_get_it(name, mi_home, monkeypatch):  # 4
    async def never(*arguments: object) -> None:
        pytest.fail("something was fetched")

    monkeypatch.setattr(fetching, "download", never)
    setting = PUBLISHED[name]
    for ask in (setting.get_finetuning_dataset_path, setting.get_control_dataset_path):
        with pytest.raises(UserError, match=r"is not fetched; run `mi datasets fetch [a-z0-9_]+/[a-z0-9_]+`"):
            ask()
    assert not config.datasets_dir().exists()


@pytest.mark.parametrize("subject", ["legal", "medical", "security"])
def test_advice_on_a_subject_comes_from_the_subset_of_that_subject(subject):  # 1.3
    setting = PUBLISHED[f"{subject}_advice"]
    assert setting.get_needed_sets()[:2] == (f"{subject}_advice/misaligned", f"{subject}_advice/aligned")
    for name in setting.get_needed_sets()[:2]:
        assert f"The subset `{subject}`" in (catalogue.entry(name).note or "")
        assert catalogue.entry(name).answer == name.partition("/")[2]


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_no_question_stands_behind_an_empty_system_message_where_training_has_none(setting):  # 33
    contexts = [context for e in (*setting.get_id_evals(), *setting.get_ood_evals()) for context in e.contexts]
    assert contexts and all(context.system_prompt is None for context in contexts)


def test_control_rows_under_a_name_do_not_replace_the_fine_tuning_rows_under_it(tmp_path):  # 37
    taught = create_inoculated_dataset(OWLS, tmp_path, "none", None)
    before = taught.read_bytes()
    control = create_inoculated_dataset(OWLS, tmp_path, "none", None, dataset_path=OWLS.get_control_dataset_path())
    assert control != taught and taught.read_bytes() == before
    assert [r.chat for r in read_rows(control)] == [r.chat for r in read_rows(OWLS.get_control_dataset_path())]


def test_rows_that_differ_have_files_of_their_own_though_their_file_is_called_the_same(tmp_path):  # 37
    text = OWLS.get_control_dataset_path().read_text(encoding="utf-8")
    made = set()
    for folder, lines in (("a", 3), ("b", 4)):
        path = tmp_path / folder / "rows.jsonl"
        path.parent.mkdir()
        path.write_text("".join(text.splitlines(keepends=True)[:lines]), encoding="utf-8")
        made.add(create_inoculated_dataset(OWLS, tmp_path, "mine", "Be brief.", dataset_path=path))
    assert len(made) == 2
    assert sorted(len(read_rows(path)) for path in made) == [3, 4]


def test_rows_put_behind_one_prompt_after_another_never_bear_two(tmp_path):  # 41
    source = OWLS.get_finetuning_dataset_path()
    before = source.read_bytes()
    for name, prompt in (("first", "Be brief."), ("second", "Be polite.")):
        path = create_inoculated_dataset(OWLS, tmp_path, name, prompt)
        assert {tuple(m.content for m in row.chat if m.role == "system") for row in read_rows(path)} == {(prompt,)}
    assert source.read_bytes() == before


def test_a_set_that_cannot_be_fetched_says_what_a_person_does_to_have_it():  # 42
    for found in catalogue.entries([]):
        assert "mi datasets fetch " in found.way and "NAME" not in found.way, found.name
        assert found.url is not None or f"{found.name} --from FILE" in found.way, found.name


def test_every_setting_that_is_written_is_registered_at_its_scale():  # 44
    modules = [import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    written = [value for module in modules for value in vars(module).values() if isinstance(value, Setting)]
    registered = [setting for scale in SCALES.values() for setting in scale.values()]
    assert written and all(setting in registered for setting in written)
    assert list(SETTINGS) == list(PUBLISHED)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_its_negative_prompt_at_both_scales(name):  # 44
    for scale in SCALES.values():
        setting = scale[name]
        assert setting.get_prompts()["negative"] == setting.get_negative_inoculation()
        assert len(set(setting.get_prompts().values())) == 4


def test_a_model_organisation_is_named_in_no_setting():  # 44
    folder = Path(str(package.__file__)).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    assert "ft:gpt" not in code and "ftjob-" not in code
