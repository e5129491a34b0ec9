"""What a FastAPI application answers to, found by looking at it: method, path, and the permission that stands before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from cloud.access.service import Require


@dataclass(frozen=True)
class Route:
    """`guarded`: somebody must be logged in; `permission`: what they must hold, None when being logged in is enough."""

    method: str
    path: str
    guarded: bool
    permission: str | None

    @property
    def address(self) -> str:
        """The path with something in each gap."""
        return re.sub(r"\{[^}]*\}", "1", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(app: FastAPI) -> list[Route]:
    """Every route of an application, also of the routers it includes."""
    return sorted(_routes(app.routes), key=lambda one: (one.path, one.method))


def _routes(found: Iterable[object]) -> Iterator[Route]:
    for one in found:
        router = getattr(one, "original_router", None)
        if router is not None:
            yield from _routes(router.routes)
        elif isinstance(one, APIRoute):
            guards = list(_guards(one.dependant))
            permission = next((guard.permission for guard in guards if guard.permission), None)
            for method in sorted(one.methods - {"HEAD", "OPTIONS"}):
                yield Route(method, one.path, bool(guards), permission)


def _guards(dependant: Dependant) -> Iterator[Require]:
    for one in dependant.dependencies:
        if isinstance(one.call, Require):
            yield one.call
        yield from _guards(one)
