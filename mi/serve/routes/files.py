"""/v1/files: upload, list, retrieve, content, delete."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from mi.serve import uploads
from mi.serve.data_models import StoredFile
from mi.serve.errors import invalid, no_such_file
from mi.serve.objects import file_object, list_object
from mi.serve.routes.common import After, Json, Server, behind
from mi.serve.state import State

router = APIRouter(prefix="/v1/files", tags=["files"])
FileId = Annotated[str, Path(max_length=64)]
_PIECE = 1 << 16
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": [uploads.PURPOSE]},
                    },
                }
            }
        },
    }
}


@router.post("", openapi_extra=_FORM)
async def upload(request: Request, server: Server) -> Json:
    """Take in a training file, JSON Lines in UTF-8; it is validated right afterwards."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise invalid("an upload is multipart/form-data with the fields `file` and `purpose`.", "file")
    try:
        form = await request.form(max_files=1, max_fields=16, max_part_size=4096)
    except HTTPException as error:
        raise invalid(f"the upload cannot be read ({error.detail}); send `file` and `purpose`, whole.") from error
    try:
        file, purpose = form.get("file"), form.get("purpose")
        if not isinstance(file, UploadFile):
            raise invalid("the upload holds no whole file in its field `file`; send one.", "file")
        if purpose != uploads.PURPOSE:
            raise invalid(f"the purpose of a file here is {uploads.PURPOSE!r}; give that one.", "purpose")
        name = uploads.check_filename(file.filename)
        stored = await uploads.store(server.state, server.settings.limits, name, uploads.PURPOSE, _pieces(file))
    finally:
        await form.close()
    server.trainer.check_file(stored)
    return file_object(stored)


@router.get("")
def list_files(
    server: Server,
    purpose: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    after: After = None,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "desc",
) -> Json:
    """The files, newest first unless `order` is asc."""
    page = behind(after, lambda: server.state.page(StoredFile, limit, after, order == "desc"))
    return list_object([file_object(f) for f in page.items if purpose in (None, f.purpose)], page.has_more)


@router.get("/{file_id}")
def retrieve(file_id: FileId, server: Server) -> Json:
    """One file."""
    return file_object(_find(server.state, file_id))


@router.get("/{file_id}/content", response_class=Response)
def content(file_id: FileId, server: Server) -> Response:
    """The bytes of a file, as they were uploaded."""
    stored = _find(server.state, file_id)
    return FileResponse(uploads.path_of(server.state, stored.id), media_type="application/octet-stream")


@router.delete("/{file_id}")
def delete(file_id: FileId, server: Server) -> Json:
    """Forget a file."""
    stored = _find(server.state, file_id)
    uploads.delete(server.state, stored)
    return {"id": stored.id, "object": "file", "deleted": True}


def _find(state: State, file_id: str) -> StoredFile:
    stored = state.get(StoredFile, file_id)
    if stored is None:
        raise no_such_file(file_id)
    return stored


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE):
        yield piece
