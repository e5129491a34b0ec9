#!/bin/sh
# All tests in two runs: what shares nothing goes side by side, kills and browsers one after the other. Arguments go to one plain run.
# With CI set a skipped test fails the run, and the books are tested on a second PostgreSQL.
set -u
cd "$(dirname "$0")/.."
pytest=".venv/bin/python -m pytest"
if [ $# -gt 0 ]; then
    exec $pytest "$@"
fi
mkdir -p build
status=0
run() { # name, arguments
    name=$1
    shift
    # The report is read afterwards: a pipe would hide pytest's own exit status.
    $pytest --junitxml="build/$name.xml" "$@" || status=1
    if [ -n "${CI:-}" ] && ! .venv/bin/python tools/no_skips.py "build/$name.xml"; then
        status=1
    fi
}
if [ -n "${CI:-}" ]; then
    # The books once more on the machine's own PostgreSQL, the oldest that is promised.
    GATEHOUSE_TEST_POSTGRES=$(ls -d /usr/lib/postgresql/*/bin | head -n 1)
    export GATEHOUSE_TEST_POSTGRES
    run machine tests/cloud/ledger tests/cloud/counter tests/cloud/payments tests/cloud/access -m "not pace and not faults" \
        --ignore=tests/cloud/access/test_routes.py --ignore=tests/cloud/access/test_foreign.py -n 2 --dist loadfile -q
    unset GATEHOUSE_TEST_POSTGRES
fi
run alone -m "((faults and not pure) or e2e) and not pace" -q
run together -m "(not faults or pure) and not e2e and not pace" -n 2 --dist loadfile -q
exit $status
