"""Errors as OpenAI's API gives them: an HTTP status, a sentence, a type, a parameter, a code."""

from typing import Any

_TYPES = {429: "requests", 500: "server_error"}


class ApiError(Exception):
    """A request that is refused; the message is one sentence for the person who sent it."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def body(self) -> dict[str, Any]:
        """The error object."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request with a wrong value: status 400."""
    return ApiError(400, message, code, param)


def no_such_model(name: str) -> ApiError:
    """Status 404, `model_not_found`."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return ApiError(404, message, "model_not_found", "model")


def no_such_job(job_id: str) -> ApiError:
    """Status 404, `fine_tune_not_found`."""
    return ApiError(404, f"Could not find fine tune: {job_id}", "fine_tune_not_found", "fine_tune_id")


def no_such_file(file_id: str) -> ApiError:
    """Status 404."""
    return ApiError(404, f"No such File object: {file_id}", None, "id")
