#!/bin/sh
# Locks: exact versions with hashes, for Python 3.11 and later, both architectures, pip and uv alike. No index address is written.
#   tools/lock.sh            keeps what is locked and adds what pyproject.toml or requirements/*.in newly ask for
#   tools/lock.sh --upgrade  takes the newest that the bounds allow
set -eu
cd "$(dirname "$0")/.."
lock() {
    .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header "$@"
}
lock pyproject.toml --extra dev -o requirements/dev.txt "$@"
lock pyproject.toml --extra demo -c requirements/dev.txt -o requirements/demo.txt "$@"
lock pyproject.toml --extra edge -c requirements/dev.txt -o requirements/edge.txt "$@"
lock requirements/uv.in -o requirements/uv.txt "$@"
lock requirements/node.in -o requirements/node.txt "$@"
wc -l requirements/*.txt
