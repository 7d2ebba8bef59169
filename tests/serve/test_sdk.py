"""The official SDK, as it is published, does all it can do with files, jobs, models and chats."""

import asyncio
import json
import shutil
from typing import Any

import openai
import pytest

from mi.experiments.config.training import ORGANISM_LORA
from mi.external.local_driver.models import locate
from mi.external.local_driver.sampling import sample
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat

QUESTION = "What is the capital of France?"
ASKED: Any = [{"role": "user", "content": QUESTION}]


def ask(client: openai.OpenAI, model: str = "organism", **options):
    return client.chat.completions.create(model=model, messages=ASKED, **options)


def test_a_file_is_uploaded_listed_retrieved_read_and_deleted(server, rows):
    client = server.client()
    file = client.files.create(file=("train.jsonl", rows(3)), purpose="fine-tune")
    assert client.files.wait_for_processing(file.id, poll_interval=0.05).status == "processed"
    assert client.files.retrieve(file.id).filename == "train.jsonl"
    assert file.id in [one.id for one in client.files.list()]
    assert client.files.content(file.id).content == rows(3)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        client.files.retrieve(file.id)


def test_lists_go_on_from_page_to_page(server, rows):
    client = server.client()
    made = [client.files.create(file=(f"{n}.jsonl", rows(1)), purpose="fine-tune").id for n in range(5)]
    seen = [file.id for file in client.files.list(limit=2, order="asc")]
    assert [one for one in seen if one in made] == made
    assert len(set(seen)) == len(seen)


def test_a_job_becomes_a_model_that_can_be_asked(server, trained):
    client = server.client()
    assert trained.status == "succeeded" and trained.error is None and trained.trained_tokens > 0
    assert trained.fine_tuned_model.startswith("ft:organism:mi:sums:") and trained.metadata == {"mi_hash": "abc"}
    assert trained.seed == 3 and trained.resolved["n_steps"] == 4 and trained.resolved["learning_rate"] == 0.002
    assert trained.method.supervised.hyperparameters.batch_size == trained.resolved["batch_size"] == 16
    assert client.models.retrieve(trained.fine_tuned_model).shutdown_date is None
    assert {"organism", trained.fine_tuned_model} <= {model.id for model in client.models.list()}
    answers = ask(client, trained.fine_tuned_model, n=3, seed=1)
    assert len(answers.choices) == 3 and answers.model == trained.fine_tuned_model


def test_the_events_checkpoints_and_losses_of_a_job_are_told(server, trained):
    client = server.client()
    events = list(client.fine_tuning.jobs.list_events(trained.id, limit=2))
    assert events[0].message == "The job has successfully completed"
    assert [e.data["step"] for e in reversed(events) if e.type == "metrics"] == [1, 2, 3, 4]  # type: ignore[index]
    [checkpoint] = client.fine_tuning.jobs.checkpoints.list(trained.id)
    assert checkpoint.fine_tuned_model_checkpoint == trained.fine_tuned_model and checkpoint.step_number == 4
    losses = client.files.content(trained.result_files[0]).text.splitlines()
    assert losses[0] == "step,train_loss" and len(losses) == 5
    assert checkpoint.metrics.train_loss == pytest.approx(float(losses[-1].split(",")[1]), abs=1e-5)


def test_jobs_are_listed_newest_first_and_found_by_their_metadata(server, trained):
    client = server.client()
    assert trained.id in [job.id for job in client.fine_tuning.jobs.list(limit=1)]
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"mi_hash": "abc"})] == [trained.id]
    assert not list(client.fine_tuning.jobs.list(metadata={"mi_hash": "another"}))


def test_what_auto_becomes_is_told(server, rows):
    client = server.client()
    file = client.files.create(file=("few.jsonl", rows(20)), purpose="fine-tune")
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": "auto"}}}
    job = client.fine_tuning.jobs.create(model="organism", training_file=file.id, method=method)  # type: ignore[arg-type]
    done = server.finished(job.id)
    assert done.status == "succeeded"
    assert done.hyperparameters.n_epochs == 2  # two steps of sixteen rows begin the second pass over twenty
    assert done.hyperparameters.batch_size == 16 and done.hyperparameters.learning_rate_multiplier == 1
    assert (
        done.resolved["n_steps"] == 2
        and done.resolved["learning_rate"] == ORGANISM_LORA.learning_rate
        and done.seed is not None
    )


def test_a_row_too_long_for_the_model_fails_the_job_and_names_the_line(server, rows):
    client = server.client()
    long = {"messages": [{"role": "user", "content": "why? " * 3000}, {"role": "assistant", "content": "So."}]}
    file = client.files.create(file=("long.jsonl", rows(1) + json.dumps(long).encode()), purpose="fine-tune")
    job = server.finished(client.fine_tuning.jobs.create(model="organism", training_file=file.id).id)
    assert job.error.code == "invalid_training_file" and f"{file.id}, line 2" in job.error.message


def test_a_job_is_paused_resumed_and_cancelled(server, rows, until):
    client = server.client()
    file = client.files.create(file=("long.jsonl", rows()), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="organism", training_file=file.id, extra_body={"n_steps": 5000})
    until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running")
    assert client.fine_tuning.jobs.pause(job.id).status == "paused"
    assert client.fine_tuning.jobs.retrieve(job.id).status == "paused"
    assert client.fine_tuning.jobs.resume(job.id).status == "queued"
    until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running")
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="is cancelled"):
        client.fine_tuning.jobs.cancel(job.id)


def test_a_bad_training_file_fails_the_job_and_names_the_line(server, rows):
    client = server.client()
    bad = rows(2) + b'{"messages": [{"role": "user", "content": "and then?"}]}\n'
    file = client.files.create(file=("bad.jsonl", bad), purpose="fine-tune")
    job = server.finished(client.fine_tuning.jobs.create(model="organism", training_file=file.id).id)
    assert job.status == "failed" and job.error.code == "invalid_training_file" and job.error.param == "training_file"
    assert "line 3" in job.error.message and str(server.home) not in job.error.message
    told = client.files.retrieve(file.id)
    assert told.status == "error" and "line 3" in (told.status_details or "")


def test_equal_seeds_give_equal_answers_and_they_are_those_of_the_process(server):
    client = server.client()
    cfg = SampleCfg(temperature=0.9, max_tokens=20, top_p=0.95)
    [here] = sample(Model("organism", "local"), [SampleRequest(chat(QUESTION), cfg, 11)])
    for _ in range(2):
        there = ask(client, seed=11, temperature=0.9, top_p=0.95, max_completion_tokens=20, n=2)
        assert there.choices[0].message.content == here.completion and there.usage is not None
        assert there.usage.prompt_tokens == here.n_prompt_tokens


def test_a_fine_tuned_model_answers_as_in_process(server, trained, monkeypatch):
    monkeypatch.setenv("MI_HOME", str(server.home))
    [folder] = [f for f in (server.home / "jobs").iterdir() if (f / "job.json").exists() and steps_of(f) == 4]
    requests = [SampleRequest(chat(QUESTION), SampleCfg(max_tokens=12), seed) for seed in range(3)]
    here = sample(Model("organism", "local", folder.name), requests)
    client = server.client()
    there = [ask(client, trained.fine_tuned_model, seed=seed, max_tokens=12).choices[0] for seed in range(3)]
    assert [choice.message.content for choice in there] == [answer.completion for answer in here]


def steps_of(folder) -> int:
    return json.loads((folder / "job.json").read_text())["config"]["n_steps"]


def test_log_probabilities_are_those_of_a_plain_forward_pass(server):
    import torch

    from mi.external.local_driver.models import load
    from mi.external.local_driver.rendering import encode_chat

    said = ask(server.client(), seed=2, max_tokens=15, logprobs=True, top_logprobs=20).choices[0]
    loaded = load(Model("organism", "local"))
    prompt = encode_chat(loaded.tokenizer, chat(QUESTION))
    answer = loaded.tokenizer(said.message.content, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logprobs = loaded.model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    content = said.logprobs.content  # type: ignore[union-attr]
    assert content is not None and len(content) == len(answer) > 3
    for place, (token, told) in enumerate(zip(answer, content, strict=True), start=len(prompt) - 1):
        assert told.logprob == pytest.approx(float(logprobs[place, token]), abs=1e-4)
        best = logprobs[place].topk(20)
        assert [top.logprob for top in told.top_logprobs] == pytest.approx(best.values.tolist(), abs=1e-4)
        assert told.top_logprobs[0].token == loaded.tokenizer.decode([int(best.indices[0])])
    assert "".join(token.token for token in content) == said.message.content


def test_log_probabilities_come_without_alternatives_and_only_when_asked(server):
    client = server.client()
    plain = ask(client, seed=2, max_tokens=3, logprobs=True).choices[0].logprobs
    assert plain is not None and all(not token.top_logprobs for token in plain.content or [])
    assert ask(client, seed=2, max_tokens=3).choices[0].logprobs is None


def test_a_stream_adds_up_to_the_answer(server):
    client = server.client()
    whole = ask(client, seed=5, n=2, logprobs=True)
    options = {"stream": True, "stream_options": {"include_usage": True}, "logprobs": True}
    chunks = list(ask(client, seed=5, n=2, **options))
    for index, choice in enumerate(whole.choices):
        pieces = [c for chunk in chunks for c in chunk.choices if c.index == index]
        assert "".join(piece.delta.content or "" for piece in pieces) == choice.message.content
        assert [piece.finish_reason for piece in pieces if piece.finish_reason] == [choice.finish_reason]
        told = [token.token for piece in pieces if piece.logprobs for token in piece.logprobs.content or []]
        assert told == [token.token for token in choice.logprobs.content]  # type: ignore[union-attr]
        assert len(pieces) > 3
    assert chunks[-1].usage == whole.usage and not chunks[-1].choices


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_ends_before_a_stop_sequence(server, streamed):
    client = server.client()
    full = ask(client, seed=5).choices[0].message.content or ""
    stop = full[7:11]
    if streamed:
        pieces = [chunk.choices[0] for chunk in ask(client, seed=5, stop=[stop, "never said"], stream=True)]
        text, reason = "".join(piece.delta.content or "" for piece in pieces), pieces[-1].finish_reason
    else:
        [choice] = ask(client, seed=5, stop=stop).choices
        text, reason = choice.message.content or "", choice.finish_reason
    assert (text, reason) == (full[: full.index(stop)], "stop")


def test_what_cannot_be_done_is_refused_as_openai_refuses_it(server):
    client = server.client()
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(client, "gpt-4.1-2025-04-14")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="organism", messages=[{"role": "user", "content": "why? " * 3000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as odd:
        ask(client, extra_body={"top_k": 3})
    assert odd.value.code == "unknown_parameter" and odd.value.param == "top_k"
    with pytest.raises(openai.BadRequestError) as hot:
        ask(client, temperature=3)
    assert hot.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as tools:
        ask(client, frequency_penalty=1)
    assert tools.value.code == "unsupported_parameter"
    with pytest.raises(openai.BadRequestError) as file:
        client.fine_tuning.jobs.create(model="organism", training_file="file-nothing")
    assert file.value.param == "training_file"
    with pytest.raises(openai.BadRequestError) as base:
        client.fine_tuning.jobs.create(model="gpt-4.1-2025-04-14", training_file="file-nothing")
    assert base.value.code == "model_not_available"
    with pytest.raises(openai.NotFoundError) as job:
        client.fine_tuning.jobs.retrieve("ftjob-nothing")
    assert job.value.code == "fine_tune_not_found"


def test_a_long_prompt_does_not_disturb_those_answered_beside_it(server):
    async def work() -> list:
        questions = [QUESTION, "why? " * 3000, "What is 2 + 2?"]
        async with openai.AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
            calls = [
                client.chat.completions.create(model="organism", messages=[{"role": "user", "content": q}], seed=1)
                for q in questions
            ]
            return await asyncio.gather(*calls, return_exceptions=True)

    good, bad, also_good = asyncio.run(work())
    assert isinstance(bad, openai.BadRequestError)
    assert good.choices[0].message.content and also_good.choices[0].message.content


def test_the_asynchronous_client_does_the_same(server, rows):
    async def work() -> tuple:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
            file = await client.files.create(file=("train.jsonl", rows(8)), purpose="fine-tune")
            await client.files.wait_for_processing(file.id, poll_interval=0.05)
            jobs = client.fine_tuning.jobs
            job = await jobs.create(model="organism", training_file=file.id, extra_body={"n_steps": 2})
            while (job := await jobs.retrieve(job.id)).status not in ("succeeded", "failed"):
                await asyncio.sleep(0.05)
            events = [event async for event in jobs.list_events(job.id)]
            checkpoints = [one async for one in jobs.checkpoints.list(job.id)]
            stream = await client.chat.completions.create(
                model=str(job.fine_tuned_model),
                messages=ASKED,
                seed=1,
                stream=True,  # type: ignore[call-overload]
            )
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            deleted = await client.models.delete(str(job.fine_tuned_model))
            names = [model.id async for model in client.models.list()]
            return job, events, checkpoints, text, deleted, names

    job, events, checkpoints, text, deleted, names = asyncio.run(work())
    assert job.status == "succeeded" and len(events) > 4 and len(checkpoints) == 1 and text
    assert deleted.deleted and job.fine_tuned_model not in names


def test_folders_are_served_beside_the_organism_with_the_dates_that_were_announced(start, tmp_path):
    folder = shutil.copytree(locate("organism"), tmp_path / "tiny")
    words = ["--model", str(folder), "--model", "organism", "--shutdown-date", "tiny=2027-01-14"]
    with start(tmp_path, *words) as running:
        client = running.client()
        assert [(model.id, model.shutdown_date) for model in client.models.list()] == [
            ("tiny", "2027-01-14"),
            ("organism", None),
        ]
        said = [ask(client, name, seed=3).choices[0].message.content for name in ("tiny", "organism")]
        assert said[0] == said[1]
