"""A whole experiment over HTTP is the experiment in process."""

import asyncio

import pytest

from mi.experiments import pipeline
from mi.experiments.config import SPANISH_CAPITALIZATION
from mi.utils.progress import Silent

PLACE = ["condition", "arm", "seed", "evaluation", "question", "system_prompt", "sample_index"]


@pytest.mark.slow
def test_an_experiment_over_http_gets_the_answers_that_it_gets_in_process(start, tmp_path, mi_home, monkeypatch):
    import pandas as pd

    def answers(model: str) -> pd.DataFrame:
        outcome = asyncio.run(pipeline.run(SPANISH_CAPITALIZATION, model, [0], Silent()))
        told = pd.read_parquet(outcome.folder / "answers.parquet")
        return told[[*PLACE, "answer"]].sort_values(PLACE, ignore_index=True)

    here = answers("organism")
    with start(tmp_path) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        there = answers("openai/organism")
    assert len(here) > 500 and here.answer.notna().all()
    pd.testing.assert_frame_equal(here, there)
