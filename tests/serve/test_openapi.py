"""Whatever the OpenAPI description allows or does not is answered, and never by an error of the server's own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = '''
"""Every other made-up name is one that there is, so that the cases come past the door."""
import itertools
import json
import os

import schemathesis

TURN = itertools.count()
KNOWN = json.loads(os.environ["KNOWN"])


@schemathesis.hook
def map_body(context, body):
    """Name a model and a file that there are."""
    if isinstance(body, dict) and next(TURN) % 2:
        for name in ("model", "training_file"):
            if name in body:
                body[name] = KNOWN[name]
        if "max_tokens" in body or "messages" in body:
            body["max_tokens"] = body["max_completion_tokens"] = 3
        if "training_file" in body:
            body["n_steps"] = 1
            body.pop("method", None)
    return body


@schemathesis.hook
def map_path_parameters(context, parameters):
    """Name a file, a job, a model that there are."""
    if isinstance(parameters, dict) and next(TURN) % 2:
        return {name: KNOWN.get(name, value) for name, value in parameters.items()}
    return parameters
'''


@pytest.fixture
def known(server, trained, rows) -> dict[str, str]:
    """The names of things that there are, by the parameter that takes them."""
    file = server.client().files.create(file=("train.jsonl", rows(4)), purpose="fine-tune")
    return {"model": "organism", "training_file": file.id, "file_id": file.id, "job_id": trained.id, "name": "organism"}


def test_the_description_names_every_endpoint_and_its_refusals(server):
    with server.http() as http:
        described = http.get(server.url.replace("/v1", "/openapi.json")).json()
    told = {(verb, path) for path, verbs in described["paths"].items() for verb in verbs}
    jobs = "/v1/fine_tuning/jobs"
    assert {("post", f"{jobs}/{{job_id}}/{verb}") for verb in ("cancel", "pause", "resume")} <= told
    assert {("get", f"{jobs}/{{job_id}}/{part}") for part in ("events", "checkpoints")} <= told
    assert {("get", jobs), ("post", jobs), ("post", "/v1/files"), ("post", "/v1/chat/completions")} <= told
    assert all("4XX" in verb["responses"] for verbs in described["paths"].values() for verb in verbs.values())


@pytest.mark.slow
def test_two_thousand_cases_of_schemathesis_bring_no_error_of_the_server(server, known, tmp_path):

    (tmp_path / "hooks.py").write_text(HOOKS, encoding="utf-8")
    program = Path(sys.executable).with_name("schemathesis")
    words = [str(program), "run", server.url.replace("/v1", "/openapi.json"), "--checks", "not_a_server_error"]
    words += ["--phases", "coverage,fuzzing", "--max-examples", "60", "--seed", "1", "--no-color"]
    settings = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path), "KNOWN": json.dumps(known)}
    done = subprocess.run(words, cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    found = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert found is not None and int(found[1]) >= 2000, done.stdout[-2000:]
    assert "Traceback" not in (server.home / "serve.log").read_text()
