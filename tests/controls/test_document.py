"""docs/controls.md and the registry say the same, and every test it names is there (REQUIREMENTS 24)."""

from __future__ import annotations

import re
from pathlib import Path

from cloud.controls.registry import CONTROLS

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "controls.md").read_text(encoding="utf-8")
FIELDS = ("Diversion", "Evidence", "Alarm", "Limit", "Innocent twin", "Test")


def sections() -> dict[str, tuple[str, str, str]]:
    """rule -> (code, name, text)."""
    found = {}
    for part in TEXT.split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        named = re.fullmatch(r"([A-Z]-\d\d) `([a-z_]+)` (.+)", heading)
        assert named is not None, heading
        found[named[2]] = (named[1], named[3], body)
    return found


def test_every_control_stands_in_the_document_and_no_other():
    assert {name: told[:2] for name, told in sections().items()} == {one.rule: (one.code, one.name) for one in CONTROLS}
    assert len({one.rule for one in CONTROLS}) == len(CONTROLS)


def test_each_says_how_it_is_done_what_shows_it_and_what_stays_quiet():
    for name, (_, _, body) in sections().items():
        told = dict(re.findall(r"^- ([A-Z][a-z ]+): (.+)$", body, re.M))
        assert tuple(told) == FIELDS, name
        assert all(len(one) > 1 for one in told.values()), name


def test_when_the_alarm_stands_and_its_limits_are_those_of_the_hub(money_admin):
    usual = {
        str(row[0]).removeprefix("controls."): str(row[1])
        for row in money_admin.fetch("SELECT name, usual::text FROM setting_names WHERE name LIKE 'controls.%' AND high_risk")
    }
    told = sections()
    for one in CONTROLS:
        body = told[one.rule][2]
        assert f"- Alarm: {one.within}\n" in body, one.rule
        limits = dict(re.findall(r"`controls\.([a-z_]+)` = (\d+)", body))
        assert limits == {name: usual[name] for name in one.limits}, one.rule
    assert {name for one in CONTROLS for name in one.limits} == set(usual), "a limit that no rule reads"


def test_every_test_it_names_is_there():
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT))
    missing = [
        f"{file}::{name}"
        for file, name in sorted(named)
        if f"def {name}(" not in (ROOT / "tests" / "controls" / file).read_text(encoding="utf-8")
    ]
    assert missing == []
    assert all(len(re.findall(r"`test_\w+\.py::test_\w+`", body)) == 2 for _, _, body in sections().values())
