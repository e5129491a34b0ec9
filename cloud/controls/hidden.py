"""Who may not see what headquarters watches is not told that it is there: 404 where others say 403 (UI.md 4)."""

from __future__ import annotations

from fastapi import Request

from cloud.access.service import Principal, Require
from cloud.shared.http import NotLoggedIn
from protocols.errors import NotAllowed, NotFound


class Hidden(Require):
    """As `Require`; without the permission the address does not exist."""

    async def __call__(self, request: Request) -> Principal:
        try:
            return await super().__call__(request)
        except NotLoggedIn:
            raise
        except NotAllowed as problem:
            if problem.code != "not_allowed":
                raise
            raise NotFound("http_404", "没有这个地址", "no such page") from None
