"""`mi vllm`: a vLLM server for runs that ask `vllm/<model>`, kept between them."""

from __future__ import annotations

from typing import Annotated

import typer

Port = Annotated[int, typer.Option(min=1, max=65535, help="Of this machine; others cannot reach it.")]


def vllm(
    model: Annotated[str, typer.Argument(help="organism, a folder or a hub id, without vllm/ before it.")],
    port: Port = 8001,
) -> None:
    """Start a vLLM server that takes our adapters, and keep it until Ctrl-C; runs in other terminals then find it.

    A run that asks vllm/MODEL starts a server by itself where MI_VLLM names none, and ends it. What more vLLM is to be
    told is MI_VLLM_ARGS.
    """
    import asyncio
    from dataclasses import replace

    from mi.external.vllm_driver.settings import read_settings
    from mi.external.vllm_driver.starting import start

    async def keep() -> None:
        settings = read_settings()
        settings = settings if settings.url is None else replace(settings, url=None, command="vllm")
        server = await start(settings, model.removeprefix("vllm/"), port)
        try:
            typer.echo(
                f"vLLM serves {server.base} at {server.url}; its output goes to {server.log}. Ctrl-C ends it.\n\n"
                f"    export MI_VLLM={server.url}\n    export MI_VLLM_KEY={server.key}\n"
            )
            while server.is_up:
                await asyncio.sleep(0.2)
            raise server.gone("it served")
        finally:
            if server.process is not None:
                server.process.end()

    asyncio.run(keep())
