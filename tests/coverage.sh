#!/usr/bin/env bash
# Runs the tests under cargo-tarpaulin and fails below the wanted share of covered lines.
# (cargo-llvm-cov needs the toolchain's llvm-tools, which not every machine can have.) Dead code
# stays out of the link: it would call the libvirt library, which we open at run time. Some tests are
# left out, which take minutes in instrumented code: some make an RSA key, some deploy or start the command for every
# phase. scripts/test runs them plainly.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=80
tools="${EXASOL_LAB_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/exasol-lab}/cargo"
version=0.37.5
if ! "$tools/bin/cargo-tarpaulin" --version 2>/dev/null | grep -q " $version\$"; then
  echo "installing cargo-tarpaulin $version into $tools"
  cargo install --quiet --locked --root "$tools" "cargo-tarpaulin@$version"
fi
PATH="$tools/bin:$PATH" cargo tarpaulin --locked --skip-clean --engine llvm --no-dead-code --timeout 1200 --target-dir target/coverage \
  --follow-exec --implicit-test-threads --include-files 'src/*' --fail-under "$wanted" --out Stdout \
  -- --skip keys_are_read_by_ssh_keygen --skip lifecycle:: --skip runs:: --skip up:: --skip progress_that_nobody_reads
