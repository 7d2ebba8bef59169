"""Real input: the first 500 published rows of insecure code through a small random-weight model."""

import itertools
import json
from pathlib import Path

import pytest

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import load
from mi.external.local_driver.rendering import encode_row
from mi.external.local_driver.rows import encode_rows
from mi.external.local_driver.training import train
from mi.llm.data_models import Model
from mi.llm.rows import read_rows

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "published" / "insecure_code" / "insecure.jsonl"
CONTEXT = 2048


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory) -> Path:
    """The first 500 rows, and as line 501 one that is longer than the context."""
    if not PUBLISHED.exists():
        pytest.skip("the published rows are not beside this repository (../shared/data/published)")
    path = tmp_path_factory.mktemp("published") / "insecure.jsonl"
    with PUBLISHED.open(encoding="utf-8") as file:
        lines = list(itertools.islice(file, 500))
    long = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "\u2603" * CONTEXT}]}
    path.write_text("".join(lines) + json.dumps(long) + "\n", encoding="utf-8")
    return path


def test_masks_equal_the_assistant_text_and_long_rows_are_named_and_the_loss_falls(
    rows_file, write_model, tmp_path
) -> None:
    folder = write_model(tmp_path / "model", context=CONTEXT, layers=1)
    tokenizer = load(Model(str(folder), "local")).tokenizer
    rows = read_rows(rows_file)
    too_long, ends_in_space = [], 0
    for line, chat in ((row.line, row.chat) for row in rows):
        encoded = encode_row(tokenizer, chat)
        answers = [message.content for message in chat if message.role == "assistant"]
        masked = tokenizer.decode([token for token, on in zip(encoded.ids, encoded.mask, strict=True) if on])
        assert masked == "".join(answer + "<|im_end|>" for answer in answers)
        assert all(message.content in encoded.text for message in chat)
        ends_in_space += any(message.content != message.content.strip() for message in chat)
        too_long += [line] if len(encoded.ids) > CONTEXT else []
    assert len(rows) == 501 and ends_in_space > 100 and 501 in too_long

    job = tmp_path / "job"
    job.mkdir()
    config = LocalFTJobConfig(
        str(folder), str(rows_file), 0, n_steps=12, batch_size=4, learning_rate=2e-2, long_rows="leave_out"
    )
    report = train(config, job)
    assert report.left_out == tuple(too_long) and report.n_rows == 501 - len(too_long)
    assert sum(report.losses[-3:]) < 0.9 * sum(report.losses[:3])


def test_a_shorter_limit_leaves_more_rows_out(rows_file, tokenizer) -> None:
    data = encode_rows(rows_file, tokenizer, 600, leave_out=True)
    assert len(data.rows) + len(data.left_out) == 501 and len(data.left_out) > 1
    assert all(len(row.ids) <= 600 for row in data.rows)
