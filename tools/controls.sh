#!/bin/sh
# The run of dishonest staff against a hub with a steppable clock (REQUIREMENTS 24). Says what there is instead of passing on nothing.
set -u
cd "$(dirname "$0")/.."
if [ -z "$(find tests/controls -name 'test_*.py' 2>/dev/null)" ]; then
    echo "controls: not in this version: no scenario of dishonest staff exists yet (tests/controls)."
    echo "controls: what is shown today: no foreign row is seen, ledger, audit and events cannot be changed, a broken chain is named"
    echo "controls: run: make test ARGS='tests/cloud -k \"scope or tamper or verify or proof\"'"
    exit 3
fi
exec .venv/bin/python -m pytest tests/controls "$@"
