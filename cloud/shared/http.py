"""Errors as problem documents (RFC 9457), a bound on bodies, a trace id on every answer."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.shared.pages import problem_page, wants_page
from protocols.errors import Conflict, GatehouseError, NotAllowed, NotFound, Refused, Retry

log = structlog.get_logger()

MAX_BODY = 2 * 1024 * 1024
# A spreadsheet may have 5 MB; its own slice says so in words when it has more.
LARGER = {"/owners/import": 8 * 1024 * 1024, "/api/v1/estate/imports": 8 * 1024 * 1024, "/fees/filing": 12 * 1024 * 1024}
TRACE = "x-trace-id"
_MALFORMED = frozenset({"malformed", "bad_notice", "bad_json"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)
_WORDS = {
    400: "请求格式不对",
    401: "请先登录",
    403: "没有这个权限",
    404: "没有这个地址",
    405: "不支持这种操作",
    413: "内容太大",
    422: "填写的内容不对",
    500: "系统出错，已记录",
    503: "系统暂时不可用，请稍后再试",
}


class NotLoggedIn(NotAllowed):
    """Nobody is logged in, or the session has ended: 401."""


def not_logged_in() -> NotLoggedIn:
    return NotLoggedIn("not_logged_in", "请先登录", "log in first")


def status_of(problem: GatehouseError) -> int:
    """The HTTP status of an error (DESIGN 6)."""
    if isinstance(problem, NotLoggedIn):
        return 401
    if isinstance(problem, NotAllowed):
        return 403
    if isinstance(problem, NotFound):
        return 404
    if isinstance(problem, Conflict):
        return 409
    if isinstance(problem, Refused):
        return 400 if problem.code in _MALFORMED else 422
    return 503 if isinstance(problem, Retry) else 500


def problem_document(request: Request, status: int, code: str, zh: str, en: str = "", **facts: object) -> Response:
    """An RFC 9457 document: `title` and `detail` in Chinese, `en` in English, our stable `code`, trace; for a browser a page."""
    headers = {"retry-after": "2"} if status == 503 else {}
    if 300 <= status < 400:
        return Response(status_code=status)
    if wants_page(request):
        page = problem_page(request, status, _WORDS.get(status, zh), zh, trace_of(request.scope))
        page.headers.update(headers)
        return page
    body = {"type": "about:blank", "title": _WORDS.get(status, zh), "status": status, "detail": zh, "en": en or zh, "code": code}
    body |= {key: value for key, value in facts.items() if value is not None}
    body["trace"] = trace_of(request.scope)
    text = json.dumps(body, ensure_ascii=False, default=str)
    return Response(text, status, headers, media_type="application/problem+json")


def trace_of(scope: Mapping[str, Any]) -> str:
    return str(scope.get("state", {}).get("trace", ""))


def install(app: FastAPI) -> None:
    """Exception handlers and the guard around everything."""
    app.add_exception_handler(GatehouseError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_input)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(Guard)


async def _on_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, GatehouseError)
    status = status_of(problem)
    if status >= 500:
        log.error("request_failed", code=problem.code, reason=problem.en, path=request.url.path, trace=trace_of(request.scope))
    zh, en = (problem.zh, problem.en) if status != 500 else (_WORDS[500], "")
    return problem_document(request, status, problem.code, zh, en, field=problem.field, **problem.facts)


async def _on_bad_input(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    errors = problem.errors()
    first = errors[0] if errors else {"loc": (), "msg": "", "type": ""}
    malformed = first["type"] == "json_invalid"
    status = 400 if malformed else 422
    field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    zh = "请求不是 JSON" if malformed else f"{field}：填写的内容不对" if field else "填写的内容不对"
    code = "malformed" if malformed else "bad_input"
    return problem_document(request, status, code, zh, f"{field}: {first['msg']}".lstrip(": "), field=field or None)


async def _on_http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    zh = _WORDS.get(problem.status_code, str(problem.detail))
    answer = problem_document(request, problem.status_code, f"http_{problem.status_code}", zh, str(problem.detail))
    answer.headers.update(problem.headers or {})
    return answer


class Guard:
    """Plain ASGI: gives each request its trace id, bounds its body at 2 MB, adds the headers every answer carries."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = secrets.token_hex(8)
        scope.setdefault("state", {})["trace"] = trace
        extra = [*_HEADERS, (TRACE.encode(), trace.encode())]

        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        limit = LARGER.get(scope["path"], self._limit)
        if _declared(scope) > limit:
            await _too_large(scope, receive, answer)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413)
            return message

        try:
            await self._app(scope, bounded, answer)
        except Exception:  # a supervisor: whatever one request did, the next one is served
            log.exception("request_crashed", path=scope["path"], trace=trace)
            if started:
                raise
            document = problem_document(Request(scope), 500, "internal", _WORDS[500], "an error of the program; it is logged")
            await document(scope, receive, answer)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem_document(Request(scope), 413, "too_large", "内容超过 2 MB", "the body exceeds 2 MB")
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)
