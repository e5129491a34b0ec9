"""Logging in and out, and who a request comes from (Y-01, Y-10, Y-11)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from cloud.access import store, store_security, totp
from cloud.access.domain import LoggedIn, Principal
from cloud.access.store import Credentials
from cloud.access.store_security import Factor, Idle
from cloud.shared.db import Database, Scope
from cloud.shared.http import NotLoggedIn, not_logged_in
from protocols.errors import NotAllowed, Refused

COOKIE = "gh_session"
CSRF_HEADER = "x-csrf-token"
_HOURS = 12
_FACTOR_ROLES = frozenset({"hq_finance", "sub_manager", "project_manager", "technician"})
"""HQ finance, approvers, technicians (Y-10)"""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_HASHER = PasswordHasher()  # Argon2id, 64 MiB, 3 passes
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
"""Few, so that a flood of log-ins queues up instead of taking all memory."""


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, password)


@cache
def _nobodys() -> str:
    """The hash of a password nobody has: a number nobody has takes as long to refuse."""
    return _HASHER.hash(secrets.token_hex())


async def _matches(password: str, known: str | None) -> bool:
    def check() -> bool:
        try:
            return _HASHER.verify(known or _nobodys(), password)
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.get_running_loop().run_in_executor(_THREADS, check)


async def log_in(db: Database, number: str, password: str, now: datetime, address: str, code: str = "") -> LoggedIn:
    """A new session. NotLoggedIn `wrong_login`, `code_needed` and `wrong_code` for who has a second factor; NotAllowed `locked`
    after 5 failures, for 15 minutes, also with the right password and for numbers nobody has (Y-10).
    """
    known = await _checked(db, number[:40], password, now)
    if known is None or known.user_id is None:
        raise NotLoggedIn("wrong_login", "工号或密码不对", "wrong number or password", field="password")
    factor = await store_security.factor(db, known.user_id)
    if factor.since is not None:
        if not code.strip():
            raise NotLoggedIn(
                "code_needed", "请输入手机上的 6 位动态验证码", "a code of the second factor is needed", field="code"
            )
        try:
            await use_code(db, known.user_id, factor, code, now)
        except Refused as problem:
            if await store.failed(db, number[:40], now):
                raise _locked() from None
            raise NotLoggedIn("wrong_code", problem.zh, problem.en, field="code") from None
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    await store.open_session(db, _digest(token), known.user_id, csrf, now, address)
    person = await store.person(db, known.user_id, None)
    return LoggedIn(token, csrf, known.user_id, known.name or "", tuple(person["roles"]))


async def _checked(db: Database, number: str, password: str, now: datetime) -> Credentials | None:
    """Whose password this is; None, and counted, when it is wrong. NotAllowed `locked`.

    Looks for a lock again after the password: of a hundred guesses sent at once only those before the fifth failure count.
    """
    known = await store.credentials(db, number, now)
    if known.locked_until is not None:
        raise _locked()
    if not await _matches(password[:200], known.password_hash) or known.user_id is None:
        if await store.failed(db, number, now):
            raise _locked()
        return None
    if (await store.credentials(db, number, now)).locked_until is not None:
        raise _locked()
    return known


async def use_code(db: Database, user_id: int, factor: Factor, code: str, now: datetime) -> None:
    """Use up a code of the second factor. Refused `wrong_code`, also for one that was used."""
    step = totp.matching_step(factor.secret or "", code.strip()[:12], now, factor.step) if factor.secret else None
    if step is None or not await store_security.use_step(db, user_id, step):
        raise Refused("wrong_code", "验证码不对或已用过，等下一个再输", "the code is wrong or was used", field="code")


def needs_factor(roles: Collection[str]) -> bool:
    """Whether one of these roles must have a second factor where the hub asks for it (Y-10)."""
    return bool(_FACTOR_ROLES & set(roles))


async def idle_person(hub: Any, request: Request) -> Idle | None:
    """Whose session of this browser has idled away and can be unlocked with a PIN (Y-11)."""
    token = request.cookies.get(COOKIE)
    return await store_security.idle(hub.db, _digest(token), hub.clock.now()) if token else None


async def unlock(hub: Any, request: Request, pin: str) -> None:
    """The same person comes back to their session. NotLoggedIn `not_idle`; `wrong_pin`, the fifth ends the session."""
    found = await idle_person(hub, request)
    if found is None:
        raise NotLoggedIn("not_idle", "请重新登录", "no session to unlock")
    token = _digest(request.cookies[COOKIE])
    if not await store_security.pin_try(hub.db, token):
        raise NotLoggedIn("not_idle", "解锁码连错 5 次，请用密码重新登录", "too many wrong PINs; log in again")
    if not await _matches(pin[:8], found.pin_hash):
        raise NotLoggedIn("wrong_pin", "解锁码不对", "the PIN is wrong", field="pin")
    await store_security.unlock(hub.db, token, hub.clock.now())


def _locked() -> NotAllowed:
    return NotAllowed("locked", "密码连续输错 5 次，请 15 分钟后再试", "locked for 15 minutes after 5 failures")


async def confirm_password(db: Database, principal: Principal, password: str, now: datetime) -> None:
    """The password of somebody logged in, asked again. NotAllowed `wrong_password`, `locked`."""
    if await _checked(db, principal.number, password, now) is None:
        raise NotAllowed("wrong_password", "原密码不对", "the old password is wrong", field="old")


async def log_out(db: Database, token: str | None) -> None:
    if token:
        await store.close_session(db, _digest(token))


def set_cookie(request: Request, response: Response, token: str) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, max_age=_HOURS * 3600, httponly=True, samesite="lax", secure=secure, path="/")


def drop_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/")


def client_address(request: Request) -> str:
    return request.client.host if request.client else ""


async def principal_of(hub: Any, request: Request, permission: str | None) -> Principal | None:
    """Who sends a request, with the scope where they hold `permission` (everything of theirs when None). None: nobody."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    row = await store.session(hub.db, _digest(token), hub.clock.now(), permission)
    if row is None:
        return None
    projects = None if row["projects"] is None else frozenset(row["projects"])
    return Principal(
        user_id=row["user_id"],
        number=row["number"],
        name=row["name"],
        roles=tuple(row["roles"]),
        scope=Scope(frozenset(row["companies"]), projects, row["whole_group"]),
        permissions=frozenset(row["permissions"]),
        csrf=row["csrf"],
        address=client_address(request),
        factor=row["factor"],
    )


class Require:
    """A dependency that gives the Principal who holds `permission` somewhere: 401 for nobody, 403 for all others.

    `page`: a person with a browser, who is sent to log in instead of being told 401.
    """

    def __init__(self, permission: str | None, *, page: bool = False) -> None:
        self.permission = permission
        self.page = page

    async def __call__(self, request: Request) -> Principal:
        hub = request.app.state.hub
        user = await principal_of(hub, request, self.permission)
        if user is None and self.page:
            raise _to_login(request, "/unlock" if await idle_person(hub, request) else "/login")
        if user is None:
            raise not_logged_in()
        if self.permission is not None and self.permission not in user.permissions:
            raise NotAllowed("not_allowed", "没有这个权限", f"{self.permission} is not allowed", permission=self.permission)
        if hub.settings.second_factor and self.permission is not None and not user.factor and needs_factor(user.roles):
            if self.page:
                raise HTTPException(303, "请先设置动态验证码", {"location": "/me"})
            raise NotAllowed("factor_needed", "您的角色要先在“我的”里设置动态验证码", "set up the second factor first")
        if request.method not in _SAFE:
            await _check_csrf(request, user)
        return user


def require(permission: str | None) -> Require:
    """For JSON routes: 401 / 403. None: anybody logged in."""
    return Require(permission)


def page_user(permission: str | None) -> Require:
    """For pages: to /login?next= instead of 401."""
    return Require(permission, page=True)


def _to_login(request: Request, page: str) -> HTTPException:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    there = page if request.method not in _SAFE or target == "/" else f"{page}?next={quote(target)}"
    return HTTPException(303, "请先登录", {"location": there})


async def _check_csrf(request: Request, user: Principal) -> None:
    sent: object = request.headers.get(CSRF_HEADER)
    if sent is None and request.headers.get("content-type", "").startswith(_FORMS):
        sent = (await request.form()).get("csrf")
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), user.csrf.encode()):
        raise NotAllowed("bad_csrf", "页面已过期，请刷新后再试", "the CSRF token is missing or wrong")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
