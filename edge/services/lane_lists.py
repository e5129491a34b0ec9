"""The desired documents a lane decides by, parsed once and kept small: 20,000 passes take a few MB (L-06, L-30, L-37)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

from pydantic import ValidationError

from edge.ports import Documents
from protocols import tariff
from protocols.errors import Refused
from protocols.time import parse_instant
from protocols.uplink.documents import DocumentName
from protocols.wiring import LaneConfig, LanesDocument, PassEntry, TariffsDocument

_Pass = tuple[str, str, str]
"""category, start, last"""

_CATEGORIES = frozenset(get_args(PassEntry.model_fields["category"].annotation))
_RIGHTS = _CATEGORIES - {"blacklist"}
USED: tuple[DocumentName, ...] = ("lanes", "tariffs", "passes", "calendar")


class Lists:
    """`load` replaces what changed; a body that cannot be read leaves the former one in force."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.site = ""
        self.lanes: dict[str, LaneConfig] = {}
        self._passes: dict[str, tuple[_Pass, ...]] = {}
        self._tariffs: list[tuple[str, tariff.TariffRules]] = []
        self.calendar: tariff.Calendar | None = None

    def load(self, names: frozenset[DocumentName] = frozenset(USED)) -> list[tuple[DocumentName, str]]:
        """Read the named documents; returns those that could not be read, with the reason."""
        problems: list[tuple[DocumentName, str]] = []
        for name in USED:
            body = self._documents.current(name) if name in names else None
            if body is None:
                continue
            try:
                self._read(name, body)
            except (ValidationError, Refused, ValueError, KeyError, TypeError) as problem:
                problems.append((name, str(problem).splitlines()[0][:200]))
        return problems

    def _read(self, name: DocumentName, body: bytes) -> None:
        if name == "lanes":
            lanes = LanesDocument.model_validate_json(body)
            self.site, self.lanes = lanes.site, {lane.lane: lane for lane in lanes.lanes}
        elif name == "tariffs":
            read = TariffsDocument.model_validate_json(body)
            self._tariffs = [(key, tariff.parse_rules(rules)) for key, rules in read.tariffs.items()]
        elif name == "passes":
            self._passes = _read_passes(body)
        elif name == "calendar":
            self.calendar = tariff.parse_calendar(json.loads(body))

    def passes(self, plate: str) -> Iterator[PassEntry]:
        """The entries of one plate."""
        for category, start, last in self._passes.get(plate, ()):
            yield PassEntry.model_validate({"plate": plate, "category": category, "start": start, "last": last})

    def pass_days(self, plate: str | None, entered: datetime, left: datetime) -> tuple[tariff.PassDays, ...]:
        """The days of a stay that a pass covers (Q-86), where it does not cover the whole stay."""
        entries = self.passes(plate) if plate is not None else ()
        rights = ((parse_instant(one.start), parse_instant(one.last)) for one in entries if one.category in _RIGHTS)
        return tariff.covered_days(rights, entered, left)

    def rules(self, name: str, entered: datetime) -> tariff.TariffRules:
        """The version of a tariff in force when the stay began (K-20). Refused `no_tariff`."""
        return tariff.in_force([rules for key, rules in self._tariffs if name in (key, rules.id)], entered)


def _read_passes(body: bytes) -> dict[str, tuple[_Pass, ...]]:
    """Entry by entry into shared tuples, so that no large tree is ever in memory. ValueError, KeyError for anything else."""
    shared: dict[Any, Any] = {}
    passes: dict[str, tuple[_Pass, ...]] = {}
    for entry in _entries(body.decode()):
        if entry["category"] not in _CATEGORIES:
            raise ValueError(f"unknown category {entry['category']}")
        right = (entry["category"], entry["start"], entry["last"])
        rights = (*passes.get(entry["plate"], ()), shared.setdefault(right, right))
        passes[entry["plate"]] = shared.setdefault(rights, rights)
    return passes


def _entries(text: str) -> Iterator[dict[str, Any]]:
    """The objects of {"entries": [...]}, one after the other."""
    opening = _OPENING.match(text)
    if opening is None:
        raise ValueError("not a list of passes")
    decoder, at = json.JSONDecoder(), opening.end()
    while not _CLOSING.match(text, at):
        entry, at = decoder.raw_decode(text, at)
        between = _BETWEEN.match(text, at)
        if between is None:
            raise ValueError(f"not a list of passes at character {at}")
        yield entry
        at = between.end()


_OPENING = re.compile(r'\s*\{\s*"entries"\s*:\s*\[\s*')
_BETWEEN = re.compile(r"\s*(,\s*|(?=\]))")
_CLOSING = re.compile(r"\]\s*\}\s*$")
