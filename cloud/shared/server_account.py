"""Whose an embedded PostgreSQL is. It refuses root, so then it belongs to `nobody`, who must reach data and binaries."""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHELTER = Path("/var/lib/gatehouse")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with initdb and postgres, its major version, and the root of what must be copied where others cannot read it."""

    bin: Path
    major: int
    root: Path | None = None


class Account:
    """Whose the server is: ours, or `nobody` when we are root, whom PostgreSQL refuses."""

    def __init__(self, entry: pwd.struct_passwd | None) -> None:
        self._entry = entry

    @classmethod
    def for_server(cls) -> Account:
        return cls(pwd.getpwnam("nobody") if os.getuid() == 0 else None)

    @property
    def popen(self) -> dict[str, Any]:
        if self._entry is None:
            return {}
        return {"user": self._entry.pw_uid, "group": self._entry.pw_gid, "extra_groups": []}

    def owns(self, folder: Path) -> None:
        if self._entry is None or folder.stat().st_uid == self._entry.pw_uid:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self._entry.pw_uid, self._entry.pw_gid, follow_symlinks=False)

    def reaches(self, folder: Path) -> bool:
        """Whether the account may walk down to a folder."""
        return self._entry is None or all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))

    def home(self, data: Path) -> Path:
        """A folder for the cluster: `data`, or a shelter that `data` names when it lies below a closed one (/root).

        By a name kept in `data`, not by its path: whoever removes the folder and begins anew shall not find the old cluster.
        """
        if self.reaches(data):
            return data
        name = data / "shelter"
        if not name.exists():
            fresh = data / "shelter.new"
            fresh.write_text(secrets.token_hex(8))
            fresh.replace(name)
        shelter = _shelter() / name.read_text()
        shelter.mkdir(parents=True, exist_ok=True)
        (shelter / "owner").write_text(str(data.resolve()))
        return shelter

    def readable(self, binaries: Binaries) -> Binaries:
        """The binaries where the account can run them; copied if need be, with their libraries in the same relative place."""
        if self.reaches(binaries.bin) or binaries.root is None:
            return binaries
        mark = hashlib.sha256(f"{binaries.root} {(binaries.bin / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:16]
        target = _shelter() / f"binaries-{mark}"
        if not target.exists():
            fresh = Path(tempfile.mkdtemp(dir=_shelter()))
            for part in (binaries.root, binaries.root.with_name(binaries.root.name + ".libs")):
                if part.exists():
                    shutil.copytree(part, fresh / part.name, symlinks=True)
            fresh.chmod(0o755)
            fresh.rename(target)
        return Binaries(target / binaries.root.name / binaries.bin.relative_to(binaries.root), binaries.major)


def sweep_shelter() -> None:
    """Remove clusters of temporary data folders that are gone. Those of other folders stay: one may only not be mounted."""
    temporary = Path(tempfile.gettempdir()).resolve()
    for owner in SHELTER.glob("*/owner"):
        data = Path(owner.read_text())
        if data.is_relative_to(temporary) and not data.exists():
            shutil.rmtree(owner.parent, ignore_errors=True)


def _shelter() -> Path:
    SHELTER.mkdir(mode=0o755, parents=True, exist_ok=True)
    return SHELTER
