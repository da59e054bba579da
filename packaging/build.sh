# Building the program so that nothing of this machine gets into it, and proving
# that by building it twice. Sourced by scripts/package.
# shellcheck shell=bash

PACKAGE_TARGET=$REPO/target/package

# build_program: prints the path of the release binary.
build_program() {
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} sysroot commit maps
  sysroot=$(rustc --print sysroot)
  commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
  # The crates' sources, the standard library's (where they are installed, the
  # compiler names them by their place here) and this checkout. The last that
  # fits counts.
  maps="--remap-path-prefix=$cargo_home=/cargo"
  maps+=" --remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
  maps+=" --remap-path-prefix=$REPO=/exasol"
  if [[ $cargo_home$sysroot$REPO == *[[:space:]]* ]]; then
    die "$EXIT_PREFLIGHT" "cargo's home, Rust's or this folder has a blank in its path, which RUSTFLAGS can't carry" \
      "put them where there is none"
  fi
  # A folder of its own: other flags would make cargo build all of target/ again.
  # The C compiler's flags are for the crates that build C code.
  (
    cd "$REPO" &&
      RUSTFLAGS=$maps CARGO_INCREMENTAL=0 EXASOL_COMMIT=$(commit_built) \
        CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$REPO=/exasol" \
        cargo build --release --locked --quiet --bin exasol --target-dir "$PACKAGE_TARGET" >&2
  ) || die 1 "the release build failed"
  no_paths_in "$PACKAGE_TARGET/release/exasol" "$cargo_home" "$REPO"
  echo "$PACKAGE_TARGET/release/exasol"
}

# commit_built: what the program is to say that it was built from. A commit with
# changes on top is another program.
commit_built() {
  if [ -n "${EXASOL_COMMIT-}" ]; then
    echo "$EXASOL_COMMIT"
  elif [ -n "$(git -C "$REPO" status --porcelain)" ]; then
    echo "$(git -C "$REPO" rev-parse HEAD)+changes"
  else
    git -C "$REPO" rev-parse HEAD
  fi
}

# no_paths_in BINARY PATH...: fails if one of the paths is in the binary.
no_paths_in() {
  local binary=$1 path
  shift
  for path in "$@"; do
    if grep -qaF "$path/" "$binary"; then
      die 1 "the program has a path of this machine in it: $(grep -aoE "$path/[[:alnum:]._/-]{0,60}" "$binary" | head -n 1)"
    fi
  done
}

program_version() {
  "$1" --version | sed -n '1s/^[^ ]* //p' | grep -xE '[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?' ||
    die 1 "$1 --version names no version"
}

# checkout_version: what Cargo.toml says.
checkout_version() { sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$REPO/Cargo.toml"; }

# check_reproducible WORK: the commit is built in two clones that differ in all
# that must not count: folder, cargo home, time zone, language, umask.
check_reproducible() {
  local work=$1 first=$1/first second="$1/second-folder-with-a-longer-name" home=$1/other-cargo-home
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} rustup_home=${RUSTUP_HOME:-$HOME/.rustup} item
  [ -z "$(git -C "$REPO" status --porcelain)" ] ||
    say "package: changes that are not committed are left out of this check"
  git clone --quiet --no-hardlinks "$REPO" "$first"
  git clone --quiet --no-hardlinks "$REPO" "$second"
  mkdir "$home"
  for item in registry git config.toml; do
    [ ! -e "$cargo_home/$item" ] || cp -a --reflink=auto "$cargo_home/$item" "$home/"
  done

  say "package: the first of two builds"
  (cd "$first" && scripts/package --out "$work/out-1")
  rm -rf "$first/target"
  say "package: the second"
  (
    umask 077
    cd "$second"
    env TZ=Pacific/Chatham LANG=de_DE.UTF-8 CARGO_HOME="$home" RUSTUP_HOME="$rustup_home" \
      scripts/package --out "$work/out-2"
  )
  same_packages "$work/out-1" "$work/out-2"
}

# same_packages DIR DIR: the same files with the same content?
same_packages() {
  if diff --recursive --brief "$1" "$2" >&2; then
    say "package: reproducible, both times:"
    cat "$1/SHA256SUMS"
  else
    die 1 "not reproducible: the files above differ"
  fi
}
