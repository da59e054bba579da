# Builds the program for Linux on arm64 on an x86_64 machine. It uses Debian's standard library for
# that target instead of the one that Rust distributes. Sourced by scripts/package.
# shellcheck shell=bash

ARM64_TARGET=aarch64-unknown-linux-gnu
# The oldest Debian whose backports have a Rust that is new enough.
ARM64_SUITE=trixie

# build_arm64: prints the path of the release binary, after it has run under emulation.
build_arm64() {
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} root binary=$PACKAGE_TARGET/$ARM64_TARGET/release/exasol
  [ "$(id -u)" -eq 0 ] || die "$EXIT_PREFLIGHT" "--arm64 builds in a chroot, which needs root"
  have mmdebstrap || die "$EXIT_PREFLIGHT" "mmdebstrap is missing" "run: scripts/setup --lab"
  root=$(arm64_root)
  (cd "$REPO" && cargo fetch --locked --quiet --target "$ARM64_TARGET") || die 1 "cargo fetch failed"
  mkdir -p "$PACKAGE_TARGET"
  # In the chroot the checkout and cargo's home have short paths, so that the program cannot
  # contain a path of this machine.
  # shellcheck disable=SC2016 # for the shell in there
  in_arm64_root "$root" --ro "$REPO=/exasol" --rw "$PACKAGE_TARGET=/target" --rw "$cargo_home/registry=/cargo/registry" -- \
    env EXASOL_COMMIT="$(commit_built)" SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" ARM64_TARGET="$ARM64_TARGET" bash -euc '
      cd /exasol
      cargo build --release --locked --offline --quiet --bin exasol --target "$ARM64_TARGET" --target-dir /target
      qemu-aarch64 -L /usr/aarch64-linux-gnu "/target/$ARM64_TARGET/release/exasol" --version
      qemu-aarch64 -L /usr/aarch64-linux-gnu "/target/$ARM64_TARGET/release/exasol" --help >/dev/null
    ' >&2 || die 1 "the build for arm64 failed"
  no_paths_in "$binary" "$cargo_home" "$REPO"
  echo "$binary"
}

# in_arm64_root ROOT [BIND]... -- COMMAND...
in_arm64_root() {
  local root=$1 binds=()
  shift
  while [ "$1" != -- ]; do binds+=("$1"); shift; done
  shift
  unshare --mount --propagation private --pid --fork --kill-child=KILL \
    "$REPO/tests/package/enter.sh" "$root" root "${binds[@]}" -- \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 CARGO_HOME=/cargo CARGO_INCREMENTAL=0 \
    CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-$(nproc)}" \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc "$@"
}

# arm64_root: prints the root of a Debian with Rust and a C compiler for arm64; it is built once (2 GB).
arm64_root() {
  local target
  target=$LAB_HOME/arm64/$(hash_of "$REPO/packaging/arm64.sh")
  if [ ! -e "$target" ]; then
    say "building a Debian with compilers for arm64 (minutes, 2 GB)"
    build_once arm64 "$target" make_arm64_root
  fi
  echo "$target"
}

make_arm64_root() {
  local work=$1 target=$2 mirror=http://deb.debian.org/debian
  # shellcheck disable=SC2016 # mmdebstrap's shell
  mmdebstrap --quiet --variant=minbase --architectures=amd64,arm64 \
    --include=ca-certificates,gcc,libc6-dev,gcc-aarch64-linux-gnu,libc6-dev-arm64-cross,pkgconf,qemu-user \
    --customize-hook='chroot "$1" apt-get install --quiet --yes --no-install-recommends -t '"$ARM64_SUITE"'-backports rustc cargo libstd-rust-dev libstd-rust-dev:arm64' \
    "$ARM64_SUITE" "$work/root" "deb $mirror $ARM64_SUITE main" "deb $mirror $ARM64_SUITE-backports main" &&
    mkdir -p "$work/root"/{exasol,target,cargo/registry} &&
    mv "$work/root" "$target"
}
