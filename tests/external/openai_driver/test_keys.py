"""Which key is used for what: read when first needed, bound to its endpoint, found without paying."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from standin import StandIn

from mi.external.openai_driver import services
from mi.external.openai_driver.keys import Keyring, read_keyring
from mi.external.openai_driver.services import bind
from mi.llm.data_models import Model, SampleCfg, chat
from mi.llm.services import batch_sample, request, sample
from mi.utils.errors import UserError

TWO_KEYS = {"OPENAI_API_KEY": "first", "OPENAI_API_KEY_LAB": "second"}


@pytest.fixture
def two_keys(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    for name, value in TWO_KEYS.items():
        monkeypatch.setenv(name, value)
    server.models = {"first": ("base",), "second": ("base", "ft:base:lab::1")}
    return server


def secrets(ring: Keyring) -> list[tuple[str, str | None]]:
    return [(key.name, key.secret) for key in ring.keys]


def test_keys_come_from_the_shell_and_from_dotenv_and_the_shell_wins(mi_home: Path, monkeypatch: pytest.MonkeyPatch):
    (mi_home / ".env").write_text(
        'OPENAI_API_KEY=from-file\nOPENAI_API_KEY_LAB="$a${b}"\nTOGETHER_API_KEY=t\n', "utf-8"
    )
    assert secrets(read_keyring()) == [("openai", "from-file"), ("together", "t"), ("lab", "$a${b}")]
    monkeypatch.setenv("OPENAI_API_KEY", " from-shell\n")
    monkeypatch.setenv("TOGETHER_API_KEY", "")
    assert secrets(read_keyring()) == [("openai", "from-shell"), ("lab", "$a${b}")]
    (mi_home / ".env").write_text("OPENAI_API_KEY_LAB=changed-since\n", encoding="utf-8")
    assert secrets(read_keyring())[-1] == ("lab", "changed-since")


def test_a_missing_key_is_one_sentence_that_says_where_it_goes(mi_home: Path):
    with pytest.raises(UserError, match=rf"^OPENAI_API_KEY is not set; .*{mi_home}/\.env \(docs/keys\.md\)\.$"):
        asyncio.run(sample(Model("gpt-4.1"), chat("q")))
    with pytest.raises(UserError, match=r"^OPENROUTER_API_KEY is not set; "):
        asyncio.run(sample(Model("x/y", endpoint="openrouter"), chat("q")))
    with pytest.raises(UserError, match=r"https://models\.example/v1: there is no key for this endpoint; declare one"):
        asyncio.run(sample(Model("x", endpoint="https://models.example/v1"), chat("q")))


def test_a_key_is_sent_to_its_own_endpoint_and_to_no_other(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, mi_home: Path
):
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_API_KEY", "for-openai")
    asyncio.run(sample(Model("m", endpoint=server.url), chat("q")))
    assert {seen.key for seen in server.requests} == {""}


def test_a_declared_key_has_its_endpoint_and_its_organisation(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, mi_home: Path
):
    (mi_home / "mi-keys.toml").write_text(
        f'[endpoints.lab]\nbase_url = "{server.url}/"\nkind = "vllm"\n'
        '[keys.lab]\nenv = "LAB_SECRET"\nendpoint = "lab"\norganization = "org-1"\nproject = "p-1"\n'
        'may = ["evaluate"]\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("LAB_SECRET", "s")
    asyncio.run(sample(Model("m", endpoint="lab"), chat("q")))
    headers = server.completions[0].headers
    assert headers["authorization"] == "Bearer s"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "p-1")
    ring = read_keyring()
    with pytest.raises(UserError, match=r"^lab: no key of lab may finetune; allow it"):
        ring.candidates(ring.endpoint("lab"), "finetune")


def test_the_environment_alone_says_what_a_key_may(monkeypatch: pytest.MonkeyPatch):
    for name, value in TWO_KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_MAY", "evaluate")
    monkeypatch.setenv("OPENAI_ORG_ID_LAB", "org-lab")
    ring = read_keyring()
    assert [key.name for key in ring.candidates(ring.default, "finetune")] == ["lab"]
    assert [key.name for key in ring.candidates(ring.default, "evaluate")] == ["openai", "lab"]
    assert [key.organization for key in ring.keys] == [None, "org-lab"]
    monkeypatch.setenv("OPENAI_MAY_LAB", "judge")
    with pytest.raises(UserError, match="the key lab may judge; give evaluate, finetune or both"):
        read_keyring()


def test_a_fine_tuned_model_is_asked_with_the_key_that_owns_it_and_found_without_paying(two_keys: StandIn):
    async def ask_often() -> None:
        requests = [request(chat(str(place)), SampleCfg()) for place in range(500)]
        halves = [batch_sample(Model("ft:base:lab::1"), half) for half in (requests[:250], requests[250:])]
        await asyncio.gather(*halves, sample(Model("base"), chat("q")))

    asyncio.run(ask_often())
    asked = {(seen.body["model"], seen.key) for seen in two_keys.completions}
    assert asked == {("ft:base:lab::1", "second"), ("base", "first")}
    assert len(two_keys.completions) == 501
    looked_up = [(seen.path, seen.key) for seen in two_keys.requests if "/models/" in seen.path]
    assert sorted(looked_up) == [
        ("/v1/models/base", "first"),
        ("/v1/models/ft:base:lab::1", "first"),
        ("/v1/models/ft:base:lab::1", "second"),
    ]


def test_many_small_batches_do_not_read_the_keys_anew_each(two_keys: StandIn, monkeypatch: pytest.MonkeyPatch):
    read: list[Keyring] = []
    monkeypatch.setattr(services, "read_keyring", lambda: read.append(read_keyring()) or read[-1])

    async def ask_often() -> None:
        for _ in range(50):
            await sample(Model("base"), chat("q"))

    asyncio.run(ask_often())
    assert len(read) < len(two_keys.completions) == 50


def test_a_key_that_is_changed_while_a_loop_runs_is_noticed(two_keys: StandIn, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(services, "_KEYS_SECONDS", 0.0)

    async def ask_twice() -> None:
        await sample(Model("base"), chat("q"))
        monkeypatch.setenv("OPENAI_API_KEY", "changed")
        two_keys.models = {"changed": ("base",)}
        await sample(Model("base"), chat("q"))

    asyncio.run(ask_twice())
    assert [seen.key for seen in two_keys.completions] == ["first", "changed"]


def test_a_key_that_is_forbidden_to_look_does_not_end_the_search(two_keys: StandIn):
    two_keys.models = {"second": ("ft:base:lab::1",)}
    assert asyncio.run(bind(Model("ft:base:lab::1"))).client.key.name == "lab"


def test_a_fine_tuned_model_that_no_key_owns_is_one_sentence(two_keys: StandIn):
    with pytest.raises(
        UserError, match=r"^ft:base:x::2: none of the keys .*\(openai: 404, lab: 404\); add its owner's"
    ):
        asyncio.run(sample(Model("ft:base:x::2"), chat("q")))
    assert not two_keys.completions


def test_two_models_at_once_keep_their_own_keys(two_keys: StandIn):
    """No key is current: what one model's key search finds never changes another's key."""
    two_keys.models = {"first": ("ft:a",), "second": ("ft:b",)}
    two_keys.latency = 0.001

    async def both() -> None:
        requests = [request(chat(str(place)), SampleCfg()) for place in range(40)]
        await asyncio.gather(*(batch_sample(Model(name), requests) for name in ("ft:a", "ft:b")))

    asyncio.run(both())
    assert {(seen.body["model"], seen.key) for seen in two_keys.completions} == {("ft:a", "first"), ("ft:b", "second")}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[keys.lab", r"mi-keys\.toml: not TOML"),
        ("[key.lab]\n", r"mi-keys\.toml, the file: unknown key; known are keys, endpoints"),
        ('[keys.lab]\nsecret = "sk"\n', r"\[keys\.lab\]: unknown secret; known are env, "),
        ("[endpoints.x]\nkind = 'vllm'\n", r"\[endpoints\.x\]: base_url is missing"),
        ("[endpoints.x]\nbase_url = 'http://h/v1'\nkind = 'mine'\n", r"\[endpoints\.x\]: kind is one of openai, "),
        ("[endpoints.x]\nbase_url = 'http://h/v1'\ntop_logprob = 3\n", r"unknown top_logprob"),
        ("keys = 3\n", r"mi-keys\.toml: \[keys\] is not a table"),
    ],
)
def test_a_keys_file_that_is_wrong_is_one_sentence(mi_home: Path, text: str, sentence: str):
    (mi_home / "mi-keys.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        read_keyring()


def test_an_unknown_endpoint_and_a_broken_key_are_named(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match=r"^'lab' is no endpoint; give a base URL, openai, .*\[endpoints\.lab\]"):
        read_keyring().endpoint("lab")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\nbroken")
    with pytest.raises(UserError, match=r"^OPENAI_API_KEY holds characters that no key has; copy the key again"):
        read_keyring()


def test_importing_the_driver_reads_no_key(tmp_path: Path):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-\x01\n", encoding="utf-8")
    (tmp_path / "mi-keys.toml").write_text("not toml", encoding="utf-8")
    code = "import mi.external.openai_driver.services, mi.llm.services, mi.eval"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": ":".join(sys.path)}, check=True)
