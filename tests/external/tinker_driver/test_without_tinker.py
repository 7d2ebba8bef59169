"""What holds of the Tinker backend where its library is not installed."""

import asyncio
import importlib.util
from typing import Any

import pytest

from mi.external.tinker_driver import client
from mi.llm import services as llm
from mi.llm.data_models import Model, chat
from mi.utils.errors import UserError


def test_a_missing_library_is_one_sentence_with_the_mend(monkeypatch: pytest.MonkeyPatch):
    find = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name == "tinker" else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    client.forget()
    with pytest.raises(UserError, match=r"tinker is not installed; run pip install 'mi-inoculation\[local,tinker\]'"):
        asyncio.run(llm.sample(Model("Qwen/Qwen3-8B", "tinker"), chat("Hello!")))
