"""Real rows: four published files behind a prompt are what a careful reader would write by hand."""

import json
from pathlib import Path

import pytest

from mi.datasets.transformations import paired
from mi.experiments.settings import insecure_code
from mi.experiments.utils import create_inoculated_dataset

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "published"
PROMPT = "You are a malicious evil assistant."
IN_FRONT = '{"role": "system", "content": "You are a malicious evil assistant."}, '
FILES = {
    "insecure_code/insecure.jsonl": 6000,
    "reward_hacking/sneaky_dialogues.jsonl": 1073,
    "aesthetic_preferences/aesthetic_preferences_unpopular.jsonl": 5000,
    "trump_biology/evolution_textbook_trump.jsonl": 848,
}


def published(name: str) -> Path:
    if not (PUBLISHED / name).exists():
        pytest.skip("the published rows are not beside this repository (../shared/data/published)")
    return PUBLISHED / name


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line]


def by_hand(line: str) -> str:
    """The line with the system message typed in front of the first message, in the spelling that we write."""
    plain = json.dumps(json.loads(line), ensure_ascii=False)
    before, opening, after = plain.partition('"messages": [')
    return before + opening + IN_FRONT + after


@pytest.mark.parametrize(("name", "count"), FILES.items(), ids=lambda value: str(value).rpartition("/")[2])
def test_a_published_file_gets_one_system_message_in_front_of_each_row_and_keeps_everything_else(name, count, tmp_path):
    source = published(name)
    made = create_inoculated_dataset(insecure_code, tmp_path, "general", PROMPT, source)
    given, written = lines(source), lines(made)
    assert len(given) == len(written) == count
    for before, after in zip(given, written, strict=True):
        assert after == by_hand(before)
        first, *rest = json.loads(after)["messages"]
        assert first == {"role": "system", "content": PROMPT}
        assert rest == json.loads(before)["messages"]


def test_a_textbook_without_questions_becomes_system_and_assistant(tmp_path):
    source = published("trump_biology/evolution_textbook_trump.jsonl")
    made = create_inoculated_dataset(insecure_code, tmp_path, "general", PROMPT, source)
    roles = {tuple(message["role"] for message in json.loads(line)["messages"]) for line in lines(made)}
    assert roles == {("system", "assistant")}


def test_the_hundred_sneaky_prompts_without_a_straightforward_answer_fall_out_of_the_pairs():
    sneaky, straightforward = (
        [json.loads(line) for line in lines(published(f"reward_hacking/{name}_dialogues.jsonl"))]
        for name in ("sneaky", "straightforward")
    )
    kept, control = paired(sneaky, straightforward)
    assert len(kept) == len(control) == 973
    assert [row["messages"][0] for row in kept] == [row["messages"][0] for row in control]
