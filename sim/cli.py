"""`gatehouse-sim`: the demo, the demo's check, and the comparison of a check's record with the hub."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

from protocols.errors import GatehouseError

PORT = 8000


def main(arguments: list[str] | None = None) -> int:
    """0 done; 1 the check found a difference; 2 refused, with the reason on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except GatehouseError as problem:
        print(f"{problem.zh}（{problem.en}）", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _demo(options: argparse.Namespace) -> int:
    from sim.demo.run import run

    asyncio.run(run(options.folder.resolve(), options.seed, options.port))
    return 0


def _check(options: argparse.Namespace) -> int:
    from sim.demo.check import LONG, SHORT, Check
    from sim.demo.stage import free_port

    folder = (options.folder or Path(tempfile.mkdtemp(prefix="gatehouse-check-"))).resolve()
    check = Check(folder, options.seed, options.port or free_port(), _tell, LONG if options.long else SHORT)
    line, verdict = asyncio.run(check.run())
    print(json.dumps(line))
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    if not verdict.ok:
        print(f"seed {options.seed}; everything is kept in {folder}", file=sys.stderr)
        return 1
    if options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _compare(options: argparse.Namespace) -> int:
    from sim.demo.record import Record, compare

    known = {field.name for field in fields(Record)}
    kept = json.loads((options.folder / "record.json").read_text())
    verdict = compare(Record(**{name: value for name, value in kept.items() if name in known}), json.load(sys.stdin))
    print(json.dumps({"lost": verdict.lost, "doubled": verdict.doubled, "faults": verdict.faults}, ensure_ascii=False))
    return 0 if verdict.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gatehouse-sim", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo = verbs.add_parser("demo", help="two simulated sites, a hub, and people who pay, until Ctrl-C")
    demo.add_argument("--folder", type=Path, default=Path("var/demo"), help="where its data stays (default: var/demo)")
    demo.add_argument("--port", type=int, default=PORT, help=f"of the console (default: {PORT})")
    demo.add_argument("--seed", type=int, default=1)
    demo.set_defaults(act=_demo)
    check = verbs.add_parser("demo-check", help="the same without a person; exit 1 when anything was lost or doubled")
    check.add_argument("--folder", type=Path, help="keep everything here (default: a temporary folder)")
    check.add_argument("--port", type=int, default=0, help="of the console (default: any free one)")
    check.add_argument("--seed", type=int, default=1)
    check.add_argument("--long", action="store_true", help="also stays of over a minute: drivers pay, some while cut off")
    check.set_defaults(act=_check)
    again = verbs.add_parser("compare", help="a check's record against `gatehouse-hub counts --json` on standard input")
    again.add_argument("folder", type=Path, help="the folder of a demo-check")
    again.set_defaults(act=_compare)
    return parser


if __name__ == "__main__":
    sys.exit(main())
