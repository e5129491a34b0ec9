#!/bin/sh
# Every static check; all run, then the verdict.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
status=0
try() {
    echo "--- $*"
    "$@" || status=1
}
try $bin/ruff check --quiet
try $bin/mypy
try $bin/lint-imports --no-cache
try $bin/python tools/house.py
try $bin/python tools/exact_money.py
try $bin/python tools/licences.py --check
exit $status
