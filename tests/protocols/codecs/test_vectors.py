"""N-05: every published meter case, through the adapter that the shell uses, without its answer in sight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.cli import TRIES, answer

VECTORS = Path(__file__).parents[2] / "vectors"
HIDDEN = ("error", "rule", "title", "working", "refs", "note", "source")


def _cases(folder: str) -> list[dict[str, Any]]:
    return [case for path in sorted((VECTORS / folder).glob("*.json")) for case in json.loads(path.read_text())]


def _asked(case: dict[str, Any]) -> dict[str, Any]:
    hidden = {*HIDDEN, "hex"} if case["direction"] == "encode" else {*HIDDEN, "expect"}
    asked = {key: value for key, value in case.items() if key not in hidden}
    if "then" in asked:
        asked["then"] = {"hex": asked["then"]["hex"]}
    return asked


CASES = [(kind, case) for kind in ("modbus", "dlt645") for case in _cases(kind)]


def test_all_cases_are_here() -> None:
    assert len(CASES) == 102


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}-{case['name']}" for kind, case in CASES])
def test_case(kind: str, case: dict[str, Any]) -> None:
    found = answer(TRIES[kind], json.dumps(_asked(case)))
    if "error" in case:
        assert found["error"] == case["error"]
    elif case["direction"] == "encode":
        assert found == {"hex": case["hex"]}
    else:
        assert {key: found.get(key) for key in case["expect"]} == case["expect"]
    if "then" in case and "frames" in case["then"]:
        assert found["then"]["frames"] == case["then"]["frames"]
