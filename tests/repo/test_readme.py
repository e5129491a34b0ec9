"""README and Makefile say the same."""

from __future__ import annotations

import re
from pathlib import Path

from sim.demo.seed import PASSWORD, PIN

ROOT = Path(__file__).resolve().parents[2]


def verbs() -> set[str]:
    return set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_two_commands_are_named() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make demo$", text, re.MULTILINE)
    assert re.search(r"^make test$", text, re.MULTILINE)


def test_each_make_verb_that_a_page_names_exists() -> None:
    known = verbs()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for verb in re.findall(r"`(?:sudo )?make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert verb in known, f"{page.name}: make {verb}"


def test_the_verbs_of_the_design_exist() -> None:
    wanted = {"setup", "demo", "demo-check", "test", "check", "e2e", "faults", "controls", "bench", "licences", "docs"}
    assert wanted <= verbs()


def test_each_link_to_a_file_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_log_ins_of_the_demo_are_the_ones_it_makes() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{PASSWORD}`" in text
    assert f"`{PIN}`" in text
