"""The five console commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["gatehouse-hub", "gatehouse-edge", "gatehouse-provision", "gatehouse-sim", "gatehouse-codec"])
def test_each_command_explains_itself(name: str) -> None:
    command = Path(sys.executable).parent / name
    done = subprocess.run([str(command), "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
    assert name in done.stdout


@pytest.mark.parametrize("name", ["gatehouse-hub", "gatehouse-edge", "gatehouse-provision", "gatehouse-sim", "gatehouse-codec"])
def test_an_unknown_verb_is_refused_with_exit_2(name: str) -> None:
    command = Path(sys.executable).parent / name
    done = subprocess.run([str(command), "no-such-verb"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
