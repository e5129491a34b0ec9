"""What stands in the repository: nothing of one machine, nothing big, nothing of others."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = re.compile(
    "|".join(
        (
            "py" + r"pi\.org",
            "python" + r"hosted\.org",
            "registry" + r"\.npm",
            "npm" + r"mirror",
            r"pkg" + r"\.dev",
            "tuna" + r"\.tsinghua",
        )
    )
)
MACHINE = re.compile(
    "|".join((r"(?<![\w./])/" + r"work/", r"(?<![\w.])/" + "home/[a-z]", "/tmp/" + "gatehouse/", "/root/" + r"\w"))
)
BIG = 600_000


def tracked() -> list[Path]:
    """Files of the checkout as git knows them."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"not a git checkout: {done.stderr}")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    found = []
    for path in tracked():
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def test_no_address_of_a_package_index_stands_in_a_file() -> None:
    assert [name for name, text in texts() if INDEX.search(text)] == []


def test_no_path_of_one_machine_stands_in_a_file() -> None:
    assert [(name, found.group(0)) for name, text in texts() if (found := MACHINE.search(text))] == []


def test_no_file_is_big_and_no_asset_of_others_is_committed() -> None:
    names = tracked()
    assert [p.name for p in names if p.stat().st_size > BIG] == []
    assert [
        p.name for p in names if "vendor" in p.parts or "node_modules" in p.parts or p.suffix in (".onnx", ".ttf", ".whl")
    ] == []
