"""What the JSON interface is, as OpenAPI at /api/v1/openapi.json, for whoever is logged in: not for strangers.

Pages are not in it. Every route documents the problem documents (RFC 9457) it may answer with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse

PREFIX = "/api/v1"
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `title` and `detail` are Chinese, `en` English; `code` is stable; `field` names what is wrong.",
    "required": ["type", "title", "status", "detail", "en", "code", "trace"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "en": {"type": "string"},
        "code": {"type": "string"},
        "field": {"type": "string"},
        "trace": {"type": "string"},
    },
}
_ALWAYS = {
    "400": "malformed: not JSON, or a body that cannot be read",
    "401": "nobody is logged in",
    "403": "no such permission, or the CSRF token is missing (`x-csrf-token` of the log-in)",
    "404": "not there, or outside the caller's scope",
    "409": "a conflict: somebody was quicker, or the Idempotency-Key was used with another body",
    "413": "a body over 2 MB",
    "422": "refused: what was sent or the state of things does not allow it; nothing changed",
    "503": "a dependency is away; try again after Retry-After seconds",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "8 to 80 visible characters; a repetition within ten days gets the first answer (N-02)",
    "schema": {"type": "string", "minLength": 8, "maxLength": 80, "pattern": "^[!-~]+$"},
}


def document(app: FastAPI) -> dict[str, Any]:
    """The routes of all slices; computed once."""
    if app.openapi_schema is None:
        found = app.openapi()
        found["info"] = {"title": "Gatehouse", "version": "1", "description": "Amounts are integers in fen. Times are ISO 8601."}
        found["paths"] = {path: item for path, item in found["paths"].items() if path.startswith(f"{PREFIX}/")}
        found.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
        found["components"]["securitySchemes"] = {"session": {"type": "apiKey", "in": "cookie", "name": "gh_session"}}
        found["security"] = [{"session": []}]
        for item in found["paths"].values():
            for method, operation in item.items():
                _complete(operation, writes=method not in ("get", "head"))
        app.openapi_schema = found
    return app.openapi_schema


def _complete(operation: dict[str, Any], *, writes: bool) -> None:
    for status, why in _ALWAYS.items():
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        operation["responses"][status] = {"description": why, "content": {"application/problem+json": problem}}
    if writes:
        operation.setdefault("parameters", []).append(_KEY)


def openapi_router(require: Callable[[str | None], Any]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(f"{PREFIX}/openapi.json")
    async def schema(request: Request, user: Any = Depends(require(None))) -> JSONResponse:  # noqa: B008  # FastAPI's way
        return JSONResponse(document(request.app))

    return router
