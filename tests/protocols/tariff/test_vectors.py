"""N-05: every published parking case, through the adapter that the shell uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.tariff.adapter import try_case

CASES = [
    case
    for path in sorted((Path(__file__).parents[2] / "vectors" / "parking").glob("*.json"))
    for case in json.loads(path.read_text())["cases"]
]


def test_all_cases_are_here() -> None:
    assert len(CASES) == 92


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_case(case: dict[str, Any]) -> None:
    answer = try_case({"id": case["id"], "facts": case["facts"]})
    assert {key: answer.get(key) for key in case["expect"]} == case["expect"]
    if "error" not in case["expect"]:
        assert "error" not in answer and answer["lines"]
