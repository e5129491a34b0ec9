"""`gatehouse-provision`: make a hub's CA and keys, write the broker's configuration, claim a box."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from protocols.errors import GatehouseError
from protocols.time import SHANGHAI
from provisioning import ca, claim, mosquitto


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 when done, 2 when refused; the reason on standard error."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except GatehouseError as problem:
        print(f"{problem.zh} ({problem.en})", file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"{problem.strerror}: {problem.filename}", file=sys.stderr)
        return 2
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.verb == "ca":
        ca.create(options.keys, options.host, datetime.now(SHANGHAI))
        print(f"CA, certificates and keys are in {options.keys}; keep ca.key and a copy of it safe")
    elif options.verb == "broker":
        path = mosquitto.write(options.keys.resolve(), options.folder.resolve(), options.address, options.port)
        print(f"start the broker with: mosquitto -c {path}")
    else:
        grant = claim.run(options.hub, options.code, options.folder.resolve())
        print(f"box {grant.box} is claimed; start it with: gatehouse-edge run --config {options.folder.resolve() / 'box.toml'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gatehouse-provision", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    authority = verbs.add_parser("ca", help="make the hub's private CA, its certificates and signing keys")
    authority.add_argument("keys", type=Path, help="a new folder for them")
    authority.add_argument("--host", action="append", required=True, help="a name or address of hub and broker; repeat it")
    broker = verbs.add_parser("broker", help="write mosquitto.conf and its ACL")
    broker.add_argument("keys", type=Path, help="the folder of `ca`")
    broker.add_argument("folder", type=Path, help="where mosquitto.conf and acl go")
    broker.add_argument("--address", default="0.0.0.0", help="address to listen on (default: all)")
    broker.add_argument("--port", type=int, default=8883)
    box = verbs.add_parser("claim", help="on the box: get a certificate with the one-time claim code")
    box.add_argument("hub", help="https address of the hub's box listener")
    box.add_argument("code", help="the code that the hub shows, 16 characters")
    box.add_argument("folder", type=Path, help="where the box's key, certificate and settings go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
