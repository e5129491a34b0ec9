"""`make demo` and `make test` on a machine that lacks something: one sentence, nothing half-made (issue: bare Debian)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
NO_ENSUREPIP = """#!/bin/sh
if [ "$2" = venv ]; then
    mkdir -p "$3/bin"
    echo "The virtual environment was not created successfully because ensurepip is not available."
    exit 1
fi
exec {python} "$@"
"""


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a clone as the setup reads."""
    root = tmp_path / "clone"
    shutil.copytree(ROOT / "requirements", root / "requirements")
    (root / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.py", root / "tools")
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def setup(root: Path, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), "PYTHON": "python3", "HOME": os.environ.get("HOME", "/")}
    command = [sys.executable, str(root / "tools" / "setup.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_without_python3_venv_one_sentence_names_the_package(checkout: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3", NO_ENSUREPIP.format(python=sys.executable))
    program(tmp_path / "bin", "mkdir", '#!/bin/sh\nexec /bin/mkdir "$@"\n')
    done = setup(checkout, tmp_path / "bin", "demo")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "install the package python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_where_apt_may_it_installs_python3_venv_and_goes_on(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    program(tools, "python3", NO_ENSUREPIP.format(python=sys.executable))
    program(tools, "mkdir", '#!/bin/sh\nexec /bin/mkdir "$@"\n')
    program(tools, "sudo", '#!/bin/sh\nshift\nexec "$@"\n')
    asked = tmp_path / "asked"
    program(tools, "apt-get", f'#!/bin/sh\necho "$*" >>{asked}\ncase "$*" in *update*) exit 0;; esac\nexit 1\n')
    done = setup(checkout, tools, "demo")
    assert done.returncode == 2
    assert asked.read_text().splitlines() == [
        "-q install -y --no-install-recommends python3-venv",
        "-q update",
        "-q install -y --no-install-recommends python3-venv",
    ]


def test_a_finished_setup_is_quiet_and_a_changed_lock_is_not_finished(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    ask = f"import sys; sys.path.insert(0, {str(checkout / 'tools')!r}); import setup; "
    mark = "setup.MARK.write_text(chr(10).join(setup.wanted('dev'))); "
    state = "print(*setup.marked('dev'), *setup.marked('demo'))"
    done = subprocess.run([sys.executable, "-c", ask + mark + state], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4
    quiet = setup(checkout, Path("/usr/bin"), "dev")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    with (checkout / "requirements" / "edge.txt").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    done = subprocess.run([sys.executable, "-c", ask + state], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"] * 2


def test_parts_of_the_system_are_named_where_they_may_not_be_installed(tmp_path: Path) -> None:
    program(tmp_path, "id", "#!/bin/sh\necho 1000\n")
    program(tmp_path, "ls", "#!/bin/sh\nexit 1\n")
    script = str(ROOT / "tools" / "system-packages.sh")
    done = subprocess.run(["/bin/sh", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "as root: apt-get install -y --no-install-recommends" in done.stdout
    assert "fonts-noto-cjk" in done.stdout


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^\s;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["dev", "demo", "edge", "uv", "node"])
def test_each_locked_package_has_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-z0-9])", text.strip()):
        assert re.match(r"#|[a-z0-9-]+(\[[a-z0-9,-]+\])?==", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]


def test_the_locks_agree_and_the_demo_needs_no_compiler() -> None:
    dev = pins("dev")
    assert pins("demo").items() <= dev.items()
    assert pins("edge").items() <= pins("demo").items()
    assert not {"pyscard", "lgpio", "rpi-lgpio", "pytest", "mypy", "ruff"} & pins("demo").keys()
    assert not {"fastapi", "psycopg", "reportlab"} & pins("edge").keys()


def test_the_locks_satisfy_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = list(project["dependencies"])
    for extra in ("edge", "hub", "sim", "dev"):
        asked += project["optional-dependencies"][extra]
    locked = pins("dev")
    for text in asked:
        wanted = Requirement(text)
        if wanted.name != "gatehouse":
            assert wanted.specifier.contains(locked[wanted.name], prereleases=True), text
