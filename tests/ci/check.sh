#!/usr/bin/env bash
# Checks the recipes of docs/ci: their syntax, and what must hold in them. tests/cli/runs.rs tests `exasol run` with
# fakes, tests/ci/lab.py with real guests.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$HERE/../../scripts/lib.sh"
# shellcheck source=tests/lab/artifacts.sh
source "$REPO/tests/lab/artifacts.sh"

build_actionlint() { build_go "$HERE/actionlint" github.com/rhysd/actionlint/cmd/actionlint "$@"; }

actionlint=$LAB_HOME/actionlint/$(hash_of "$HERE"/actionlint/go.{mod,sum})/actionlint
if [ ! -e "$actionlint" ]; then
  need_go actionlint
  say "building actionlint (seconds)"
  build_once actionlint "$actionlint" build_actionlint
fi
"$actionlint" -config-file "$HERE/actionlint/config.yaml" "$REPO"/docs/ci/{github,build-arm64}.yml
# PyYAML comes with ansible-core.
"$(lab_venv)/bin/python3" -B -m unittest discover -s "$HERE" -p 'test_*.py'
