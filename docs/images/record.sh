#!/usr/bin/env bash
# Records `ferry demo --once` as demo.svg, a picture of a terminal in which the lines appear as they did.
#
# docs/images/record.sh [FERRY]. It needs Python 3, and a `ferry` in the PATH or as the argument.
set -euo pipefail
ferry=${1:-ferry}
cd "$(dirname "$0")"
"$ferry" demo --once 2>&1 | python3 terminal.py '$ ferry demo --once' >demo.svg
echo "wrote docs/images/demo.svg" >&2
