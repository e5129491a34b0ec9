"""The box's unit: told by sd_notify, watched, not root (DESIGN 5; B-09)."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import provisioning

UNITS = Path(provisioning.__file__).parent / "units"


class _Unit(configparser.ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture
def service() -> configparser.SectionProxy:
    unit = _Unit(strict=False, interpolation=None)
    unit.read(UNITS / "gatehouse-edge.service")
    return unit["Service"]


def test_the_box_is_watched_and_not_root(service: configparser.SectionProxy) -> None:
    assert service["Type"] == "notify" and int(service["WatchdogSec"]) <= 30
    assert service["User"] not in ("", "root") and service["NoNewPrivileges"] == "yes"
    assert service["Restart"] == "always"


def test_it_starts_a_command_that_exists(service: configparser.SectionProxy) -> None:
    name = Path(service["ExecStart"].split()[0]).name
    (command,) = [entry for entry in entry_points(group="console_scripts") if entry.name == name]
    assert command.value == "edge.cli:main"
    assert service["ExecStart"].split()[1:] == ["run", "--config", "/var/lib/gatehouse/box.toml"]


def test_logs_stay_within_200_mb() -> None:
    """B-09."""
    text = (UNITS / "gatehouse-journal.conf").read_text()
    assert re.search(r"^SystemMaxUse=200M$", text, re.M)


def test_systemd_reads_the_unit_without_complaint(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    text = (UNITS / "gatehouse-edge.service").read_text()
    (tmp_path / "gatehouse-edge.service").write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
    done = subprocess.run([tool, "verify", str(tmp_path / "gatehouse-edge.service")], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "gatehouse-edge.service" in line and "Documentation" not in line]
    assert complaints == []
