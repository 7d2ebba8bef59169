"""Bodies, names and callers that mean harm are refused in one sentence, and leave nothing behind."""

import gzip
import io
import socket
import zipfile
from urllib.parse import urlsplit

import pytest

from mi.serve.data_models import Limits, ServeSettings
from mi.utils.errors import UserError

CHAT = {"model": "organism", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 2}


def upload(server, content: bytes, name: str = "train.jsonl", **headers: str):
    """The answer to an upload."""
    with server.http() as http:
        return http.post(
            "/files",
            files={"file": (name, content)},
            data={"purpose": "fine-tune"},
            headers=headers,
        )


def assert_refused(answer, status: int, *said: str) -> None:
    """One sentence, as an error object of OpenAI's."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"] and len(error["message"]) < 300
    for words in said:
        assert words in error["message"]


def stored(server) -> list[str]:
    """What lies in the folder of uploads."""
    return sorted(path.name for path in (server.home / "serve" / "files").iterdir())


@pytest.fixture(scope="module")
def small(start, tmp_path_factory):
    """A server that takes 20 kB a file and wants a token."""
    home = tmp_path_factory.mktemp("small")
    with start(home, "--limit", "file_bytes=20000", "--limit", "json_bytes=5000", MI_SERVE_TOKEN="s3cret") as running:
        yield running


def test_an_upload_that_is_not_utf_8_is_refused(server):
    before = stored(server)
    assert_refused(upload(server, b'{"messages": "\xff\xfe"}\n'), 400, "not UTF-8")
    assert_refused(upload(server, "été".encode()[:-1]), 400, "not UTF-8")
    assert_refused(upload(server, b"a\0b"), 400, "NUL")
    assert_refused(upload(server, b""), 400, "empty")
    assert stored(server) == before


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "a\\b", "c:evil", "a" * 256])
def test_an_upload_whose_name_is_like_a_path_is_refused(server, rows, name):
    before = stored(server)
    assert_refused(upload(server, rows(1), name), 400, "plain name")
    assert stored(server) == before


def test_no_path_of_a_request_reaches_a_file(server):
    with server.http() as http:
        for path in ("../state.sqlite", "..%2fstate.sqlite", "%2e%2e%2fstate.sqlite", "state.sqlite"):
            assert http.get(f"/files/{path}/content").status_code == 404
        assert_refused(http.post("/chat/completions", json={**CHAT, "model": "../../etc"}), 404, "does not exist")


def test_compressed_bodies_are_refused_before_they_are_read(server):
    bomb = gzip.compress(b"0" * 10_000_000)
    with server.http() as http:
        for path, kind in (("/files", "multipart/form-data; boundary=x"), ("/chat/completions", "application/json")):
            headers = {"content-encoding": "gzip", "content-type": kind}
            assert_refused(http.post(path, content=bomb, headers=headers), 415, "Content-Encoding")


def test_an_archive_is_no_training_file(server):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"0" * 1_000_000)
    assert_refused(upload(server, packed.getvalue()), 400)


def test_a_truncated_upload_is_refused_and_leaves_nothing(server, rows):
    before = stored(server)
    frame = b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
    frame += b'--x\r\nContent-Disposition: form-data; name="file"; filename="t.jsonl"\r\n\r\n' + rows(3)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    with server.http() as http:
        assert_refused(http.post("/files", content=frame, headers=headers), 400, "whole")
        assert_refused(http.post("/files", content=b"", headers=headers), 400)
        assert_refused(http.post("/files", content=frame, headers={"content-type": "multipart/form-data"}), 400)
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port)) as cut:
        head = b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        cut.sendall(head + b"Content-Length: 100000\r\n\r\n" + frame)
    assert server.client().models.list()
    assert stored(server) == before


def test_oversized_bodies_are_refused_whether_they_announce_it_or_not(small, rows):
    key = {"authorization": "Bearer s3cret"}
    assert_refused(upload(small, rows(400), **key), 413, "larger than 0.02 MB")
    assert_refused(upload(small, b"x" * 2_000_000, **key), 413)

    def unannounced():
        for _ in range(100):
            yield b" " * 1000

    with small.http() as http:
        headers = key | {"content-type": "application/json"}
        assert_refused(http.post("/chat/completions", content=unannounced(), headers=headers), 413, "0.005 MB")
        assert_refused(http.post("/chat/completions", content=b" " * 6000, headers=headers), 413)
    assert stored(small) == []


def test_a_server_with_a_token_refuses_whoever_does_not_give_it(small):
    with small.http() as http:
        for key in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "s3cret"},
            {"authorization": "Basic s3cret"},
        ):
            for path in ("/models", "/files", "/fine_tuning/jobs", "/nowhere"):
                answer = http.get(path, headers=key)
                assert_refused(answer, 401, "token")
                assert answer.json()["error"]["code"] == "invalid_api_key"
        assert http.get("/models", headers={"authorization": "Bearer s3cret"}).status_code == 200


def test_beyond_loopback_a_token_is_required():
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(UserError, match="token is required"):
            ServeSettings(host=host)
        assert ServeSettings(host=host, token="s3cret").token == "s3cret"
    for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        assert ServeSettings(host=host).token is None
    with pytest.raises(UserError, match="token is empty"):
        ServeSettings(token=" ")


def test_web_pages_and_foreign_names_cannot_use_a_server_without_a_token(server):
    with server.http() as http:
        for headers in (
            {"origin": "https://example.org"},
            {"host": "rebound.example.org"},
            {"origin": "null"},
            {"host": "["},
        ):
            assert_refused(http.get("/models", headers=headers), 403, "this machine only")
        assert http.get("/models", headers={"origin": "http://localhost:3000"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"model": "organism"}', "messages"),
        (b'{"model": "organism", "messages": []}', "messages"),
        (b'{"model": "organism", "messages": [{"role": "user", "content": "\\ud800"}]}', "messages"),
        (b'{"model": "organism", "messages": [{"role": "user", "content": "a"}], "temperature": NaN}', "temperature"),
        (b'{"model": "organism", "messages": [{"role": "user", "content": "a"}], "\\ud800": 1}', "JSON"),
        (b'{"model": "\\ud800", "messages": [{"role": "user", "content": "a"}]}', "model"),
        (b'{"model": "organism", "messages": [{"role": "user", "content": "a"}], "seed": 1e400}', "seed"),
        (b'{"model": "organism", "messages": [{"role": "user", "content": "a"}], "n": 129}', "n"),
        (b'{"model": "organism", "messages": [{"role": "tool", "content": "a"}]}', "tools"),
        (b'{"model": "organism", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "text"),
    ],
)
def test_bodies_that_make_no_sense_are_refused(server, body, said):
    with server.http() as http:
        answer = http.post("/chat/completions", content=body, headers={"content-type": "application/json"})
    assert_refused(answer, 400, said)


def test_a_full_queue_of_jobs_and_a_full_day_are_refused_as_openai_does(start, tmp_path, rows):
    import openai

    with start(tmp_path, "--limit", "unfinished_jobs=1", "--limit", "jobs_per_day=2") as running:
        client = running.client()
        file = client.files.create(file=("train.jsonl", rows()), purpose="fine-tune")
        jobs = client.fine_tuning.jobs
        first = jobs.create(model="organism", training_file=file.id, extra_body={"n_steps": 5000})
        with pytest.raises(openai.RateLimitError) as full:
            jobs.create(model="organism", training_file=file.id)
        assert full.value.code == "rate_limit_exceeded"
        jobs.cancel(first.id)
        jobs.cancel(jobs.create(model="organism", training_file=file.id).id)
        with pytest.raises(openai.RateLimitError, match="maximum of 2 fine-tuning requests per day") as day:
            jobs.create(model="organism", training_file=file.id)
        assert day.value.code == "daily_rate_limit_exceeded"


def test_more_waiting_answers_than_allowed_are_refused(start, tmp_path):
    import openai

    with start(tmp_path, "--limit", "waiting_answers=3") as running, pytest.raises(openai.RateLimitError):
        running.client().chat.completions.create(**CHAT, n=4)


def test_limits_have_names():
    from mi.cli_serve import limits_of

    assert limits_of(["jobs_per_day=8"]) == Limits(jobs_per_day=8)
    for wrong in ("jobs=8", "jobs_per_day", "jobs_per_day=0", "jobs_per_day=x"):
        with pytest.raises(UserError, match="--limit"):
            limits_of([wrong])
