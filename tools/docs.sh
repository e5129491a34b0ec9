#!/bin/sh
# Draws the pages of docs/ that come from code or locks.
set -eu
cd "$(dirname "$0")/.."
[ ! -f tools/draw_lane_table.py ] || .venv/bin/python tools/draw_lane_table.py
.venv/bin/python tools/licences.py
