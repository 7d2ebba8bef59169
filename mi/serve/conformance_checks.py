"""The list of what a server that speaks OpenAI's protocol does."""

import json
import time
from collections.abc import Callable
from typing import Any

from mi.serve.conformance import Probe, Unlike, expect, has, has_error, upload

_TRAINING_SECONDS = 1800


def _rows(n: int) -> bytes:
    said = [
        [{"role": "user", "content": f"What is {i} + 1?"}, {"role": "assistant", "content": f"It is {i + 1}."}]
        for i in range(n)
    ]
    return "".join(json.dumps({"messages": messages}) + "\n" for messages in said).encode()


def models_are_listed(probe: Probe) -> None:
    """GET /models."""
    body = probe.call("GET", "/models")
    has(body, object=str, data=list)
    expect(body["data"], "no model is listed")
    for model in body["data"]:
        has(model, id=str, object=str, created=int, owned_by=str)
    probe.model = probe.model or body["data"][0]["id"]


def a_model_is_retrieved(probe: Probe) -> None:
    """GET /models/{model}, with `shutdown_date`."""
    model = probe.call("GET", f"/models/{probe.needed('model')}")
    expect(model["id"] == probe.model, "another model is returned")
    expect(model.get("shutdown_date", "") is None or model.get("shutdown_date"), "the model has no shutdown_date")


def an_unknown_model_is_refused(probe: Probe) -> None:
    """404, `model_not_found`."""
    body = {"model": "no-such-model", "messages": [{"role": "user", "content": "Hi"}]}
    for answer in (
        probe.call("GET", "/models/no-such-model", 404),
        probe.call("POST", "/chat/completions", 404, json=body),
    ):
        has_error(answer)
        expect(answer["error"]["code"] == "model_not_found", f"the code is {answer['error']['code']!r}")


def a_chat_is_answered(probe: Probe) -> None:
    """POST /chat/completions."""
    body = probe.chat()
    has(body, id=str, object=str, created=int, model=str, choices=list, usage=dict)
    expect(body["object"] == "chat.completion", f"the object is {body['object']!r}")
    [choice] = body["choices"]
    expect(choice["message"]["role"] == "assistant", "the role is not assistant")
    has(choice["message"], content=str)
    expect(choice["finish_reason"] in ("stop", "length"), f"finish_reason is {choice['finish_reason']!r}")
    usage = body["usage"]
    expect(usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], "the usage does not add up")


def n_answers_come_at_once(probe: Probe) -> None:
    """`n`."""
    choices = probe.chat(n=3)["choices"]
    expect([choice["index"] for choice in choices] == [0, 1, 2], f"{len(choices)} choices came")


def a_seed_repeats_an_answer(probe: Probe) -> None:
    """`seed`."""
    said = {probe.chat(seed=7, temperature=1.0)["choices"][0]["message"]["content"] for _ in range(2)}
    expect(len(said) == 1, "equal seeds gave different answers")


def max_tokens_ends_an_answer(probe: Probe) -> None:
    """`max_tokens`, and `max_completion_tokens` in its place."""
    for options in ({"max_tokens": 1}, {"max_tokens": None, "max_completion_tokens": 1}):
        body = probe.chat(**options)
        expect(body["choices"][0]["finish_reason"] == "length", "one token is not reported as cut off")
        expect(body["usage"]["completion_tokens"] == 1, f"{body['usage']['completion_tokens']} tokens were written")


def a_stop_sequence_ends_an_answer(probe: Probe) -> None:
    """`stop`."""
    text = probe.chat(seed=1, temperature=0)["choices"][0]["message"]["content"]
    expect(len(text) > 3, "the answer is too short to be cut")
    cut = probe.chat(seed=1, temperature=0, stop=[text[2:4]])["choices"][0]
    expect(
        cut["message"]["content"] == text[: text.index(text[2:4])], "the answer was not cut before the stop sequence"
    )
    expect(cut["finish_reason"] == "stop", f"finish_reason is {cut['finish_reason']!r}")


def log_probabilities_are_given(probe: Probe) -> None:
    """`logprobs` and `top_logprobs`."""
    content = probe.chat(logprobs=True, top_logprobs=5, temperature=0)["choices"][0]["logprobs"]["content"]
    for token in content:
        has(token, token=str, logprob=(int, float), bytes=(list, type(None)), top_logprobs=list)
        expect(len(token["top_logprobs"]) == 5, f"{len(token['top_logprobs'])} alternatives came, not 5")
        best = max(alternative["logprob"] for alternative in token["top_logprobs"])
        expect(abs(token["logprob"] - best) < 1e-3 and best <= 1e-6, "at temperature 0 a token is not the likeliest")


def a_stream_adds_up(probe: Probe) -> None:
    """`stream`, with the usage at its end."""
    options = {"seed": 3, "temperature": 0, "max_tokens": 8}
    whole = probe.chat(**options)
    body: dict[str, Any] = {"model": probe.model, "messages": [{"role": "user", "content": "Say hello."}]}
    body |= {**options, "stream": True, "stream_options": {"include_usage": True}}
    answer = probe.http.post("/chat/completions", json=body)
    expect("text/event-stream" in answer.headers.get("content-type", ""), "a stream is no text/event-stream")
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    expect(lines and lines[-1] == "[DONE]", "a stream does not end with [DONE]")
    chunks = [json.loads(line) for line in lines[:-1]]
    text = "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])
    expect(text == whole["choices"][0]["message"]["content"], "a stream says something else than the whole answer")
    expect(chunks[-1]["usage"]["total_tokens"] == whole["usage"]["total_tokens"], "the usage of a stream differs")


def bad_values_are_refused(probe: Probe) -> None:
    """400, with the parameter's name."""
    body = {"model": probe.needed("model"), "messages": [{"role": "user", "content": "Hi"}]}
    for name, value in (("temperature", 9), ("n", 0), ("top_logprobs", 99), ("messages", [])):
        has_error(probe.call("POST", "/chat/completions", 400, json={**body, "logprobs": True, name: value}))


def a_file_is_kept(probe: Probe) -> None:
    """POST /files; GET and DELETE of it; its content."""
    file = upload(probe, _rows(12))
    has(file, id=str, object=str, bytes=int, created_at=int, filename=str, purpose=str, status=str)
    expect(file["bytes"] == len(_rows(12)) and file["filename"] == "check.jsonl", "size or name differ")
    expect(probe.call("GET", f"/files/{file['id']}")["id"] == file["id"], "another file is returned")
    expect(file["id"] in [one["id"] for one in probe.call("GET", "/files")["data"]], "the file is not listed")
    content = probe.http.get(f"/files/{file['id']}/content")
    expect(content.content == _rows(12), "the content is another")
    expect(probe.call("DELETE", f"/files/{file['id']}")["deleted"] is True, "the file is not deleted")
    has_error(probe.call("GET", f"/files/{file['id']}", 404))


def jobs_are_listed(probe: Probe) -> None:
    """GET /fine_tuning/jobs."""
    body = probe.call("GET", "/fine_tuning/jobs", params={"limit": 2})
    has(body, object=str, data=list, has_more=bool)
    expect(len(body["data"]) <= 2, "more jobs came than the limit")


def unknown_jobs_and_files_are_refused(probe: Probe) -> None:
    """404, and 400 for a job of an unknown file."""
    has_error(probe.call("GET", "/fine_tuning/jobs/ftjob-none", 404))
    has_error(probe.call("POST", "/fine_tuning/jobs/ftjob-none/cancel", 404))
    body = {"model": probe.needed("model"), "training_file": "file-none"}
    has_error(probe.call("POST", "/fine_tuning/jobs", (400, 404), json=body))


def a_job_is_trained(probe: Probe) -> None:
    """POST /fine_tuning/jobs, to its end: status, what "auto" became, metadata."""
    file = upload(probe, _rows(12))
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": "auto"}}}
    body = {"model": probe.needed("model"), "training_file": file["id"], "seed": 1, "suffix": "check", "method": method}
    job = probe.call("POST", "/fine_tuning/jobs", json={**body, "metadata": {"checked": "yes"}})
    has(job, id=str, object=str, created_at=int, status=str, model=str, training_file=str, seed=int)
    deadline = time.monotonic() + _TRAINING_SECONDS
    while job["status"] not in ("succeeded", "failed", "cancelled"):
        expect(time.monotonic() < deadline, f"the job is {job['status']} after {_TRAINING_SECONDS} s")
        time.sleep(0.2)
        job = probe.call("GET", f"/fine_tuning/jobs/{job['id']}")
    expect(job["status"] == "succeeded", f"the job has {job['status']}: {job.get('error')}")
    has(job, fine_tuned_model=str, finished_at=int, trained_tokens=int, metadata=dict)
    expect(job["fine_tuned_model"].startswith("ft:"), "the name of the model does not begin with ft:")
    shown = job["method"]["supervised"]["hyperparameters"]
    expect("auto" not in shown.values(), "what auto became is not told")
    probe.found["job"] = job


def events_and_checkpoints_are_told(probe: Probe) -> None:
    """GET …/events and …/checkpoints."""
    job = probe.needed("job")
    events = probe.call("GET", f"/fine_tuning/jobs/{job['id']}/events")["data"]
    for event in events:
        has(event, id=str, created_at=int, level=str, message=str)
    expect(events, "there are no events")
    for checkpoint in probe.call("GET", f"/fine_tuning/jobs/{job['id']}/checkpoints")["data"]:
        has(checkpoint, id=str, fine_tuned_model_checkpoint=str, step_number=int, metrics=dict)


def the_model_is_asked_and_deleted(probe: Probe) -> None:
    """A chat with the fine-tuned model; DELETE /models/{model}."""
    job = probe.needed("job")
    expect(probe.chat(model=job["fine_tuned_model"])["choices"], "the fine-tuned model does not answer")
    expect(probe.call("DELETE", f"/models/{job['fine_tuned_model']}")["deleted"] is True, "the model is not deleted")
    has_error(probe.call("GET", f"/models/{job['fine_tuned_model']}", 404))


def a_job_is_paused_resumed_and_cancelled(probe: Probe) -> None:
    """POST …/pause, …/resume, …/cancel."""
    file = upload(probe, _rows(12))
    hyperparameters = {"n_epochs": 50}
    body = {"model": probe.needed("model"), "training_file": file["id"], "hyperparameters": hyperparameters}
    path = f"/fine_tuning/jobs/{probe.call('POST', '/fine_tuning/jobs', json=body)['id']}"
    try:
        expect(probe.call("POST", f"{path}/pause")["status"] == "paused", "a paused job is not paused")
        resumed = probe.call("POST", f"{path}/resume")["status"]
        expect(resumed in ("queued", "running", "validating_files"), f"a resumed job is {resumed}")
    finally:
        cancelled = probe.http.post(f"{path}/cancel")
    if cancelled.status_code != 200 or cancelled.json()["status"] != "cancelled":
        raise Unlike(f"cancel answers {cancelled.status_code} {cancelled.text[:120]!r}")


def a_bad_file_fails_its_job(probe: Probe) -> None:
    """`invalid_training_file`."""
    file = upload(probe, _rows(11) + b'{"messages": "none"}\n', status=(200, 400))
    if "error" in file:
        return has_error(file)
    body = {"model": probe.needed("model"), "training_file": file["id"]}
    job = probe.call("POST", "/fine_tuning/jobs", (200, 400), json=body)
    deadline = time.monotonic() + _TRAINING_SECONDS
    while "error" not in job or job.get("status") in ("validating_files", "queued", "running"):
        expect(time.monotonic() < deadline, "the job of a bad file does not fail")
        time.sleep(0.2)
        job = probe.call("GET", f"/fine_tuning/jobs/{job['id']}")
    expect(job["error"] is not None, "the job of a bad file has no error")
    return expect(job["error"]["code"] == "invalid_training_file", f"the code is {job['error']['code']!r}")


Check = tuple[str, Callable[[Probe], None]]


def _named(*checks: Callable[[Probe], None]) -> tuple[Check, ...]:
    return tuple((check.__name__.replace("_", " "), check) for check in checks)


CHECKS = _named(
    models_are_listed,
    a_model_is_retrieved,
    an_unknown_model_is_refused,
    a_chat_is_answered,
    n_answers_come_at_once,
    a_seed_repeats_an_answer,
    max_tokens_ends_an_answer,
    a_stop_sequence_ends_an_answer,
    log_probabilities_are_given,
    a_stream_adds_up,
    bad_values_are_refused,
    a_file_is_kept,
    jobs_are_listed,
    unknown_jobs_and_files_are_refused,
)
TRAINING_CHECKS = _named(
    a_job_is_trained,
    events_and_checkpoints_are_told,
    the_model_is_asked_and_deleted,
    a_job_is_paused_resumed_and_cancelled,
    a_bad_file_fails_its_job,
)
