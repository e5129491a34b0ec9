"""What a new project is offered: fee items and terms by its type (P-02), a data file. Nothing is stored until it is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Offered:
    """A fee item a type of project usually has: its facts (F-02), the usual method of its standard and the usual term's code."""

    code: str
    name: str
    method: str
    term: str
    kinds: tuple[str, ...]
    facts: Mapping[str, Any]


@cache
def _document() -> dict[str, Any]:
    text = (Path(__file__).parent / "catalogue.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def offered(kind: str | None = None) -> list[Offered]:
    """The items of a type of project (residential, office, apartment, mall, market); None: all, in the order they print."""
    rows = [one for one in _document()["items"] if kind is None or kind in one["kinds"]]
    own = ("code", "name", "method", "term", "kinds")
    return [
        Offered(
            one["code"], one["name"], one["method"], one["term"], tuple(one["kinds"]),
            {name: value for name, value in one.items() if name not in own},
        )
        for one in rows
    ]  # fmt: skip


def usual(code: str) -> Offered | None:
    return next((one for one in offered() if one.code == code), None)


def terms() -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    """code -> (name, rules) of the usual terms."""
    return {one["code"]: (one["name"], one["rules"]) for one in _document()["terms"]}
