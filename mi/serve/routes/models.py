"""/v1/models: list, retrieve, delete."""

from typing import Annotated

from fastapi import APIRouter, Path

from mi.serve.data_models import TunedModel
from mi.serve.errors import ApiError, no_such_model
from mi.serve.objects import model_object
from mi.serve.routes.common import Json, Server

router = APIRouter(prefix="/v1/models", tags=["models"])
Name = Annotated[str, Path(max_length=512)]
_MOST = 100_000


@router.get("")
def list_models(server: Server) -> Json:
    """The base models and all that was made of them."""
    bases = [model_object(name, name, server.started, server.settings) for name in server.bases]
    tuned = server.state.page(TunedModel, _MOST, newest_first=False).items
    return {
        "object": "list",
        "data": bases
        + [model_object(t.name, t.base, t.created, server.settings) for t in tuned if t.base in server.bases],
    }


@router.get("/{name:path}")
def retrieve(name: Name, server: Server) -> Json:
    """One model."""
    if name in server.bases:
        return model_object(name, name, server.started, server.settings)
    tuned = _find(server, name)
    return model_object(tuned.name, tuned.base, tuned.created, server.settings)


@router.delete("/{name:path}")
def delete(name: Name, server: Server) -> Json:
    """Take a fine-tuned model's name away."""
    if name in server.bases:
        raise ApiError(403, f"{name} is a base model and stays; only fine-tuned models are deleted.", None, "model")
    tuned = _find(server, name)
    server.forget(tuned)
    return {"id": tuned.name, "object": "model", "deleted": True}


def _find(server: Server, name: str) -> TunedModel:
    tuned = server.state.get(TunedModel, name)
    if tuned is None or tuned.base not in server.bases:
        raise no_such_model(name)
    return tuned
