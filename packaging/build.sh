# Builds the program so that it contains nothing of this machine, and checks that by
# building it twice. Sourced by scripts/package.
# shellcheck shell=bash

PACKAGE_TARGET=$REPO/target/package

# build_program: prints the path of the release binary.
build_program() {
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} sysroot commit maps
  sysroot=$(rustc --print sysroot)
  commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
  # Replaces the paths of the crates' sources, of the standard library's sources (if they
  # are installed, the compiler uses their path on this machine) and of this checkout. The
  # last matching entry applies.
  maps="--remap-path-prefix=$cargo_home=/cargo"
  maps+=" --remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
  maps+=" --remap-path-prefix=$REPO=/exasol"
  if [[ $cargo_home$sysroot$REPO == *[[:space:]]* ]]; then
    die "$EXIT_PREFLIGHT" "the path of cargo's home, of Rust or of this folder contains a blank, which RUSTFLAGS does not allow" \
      "put them where there is none"
  fi
  # Uses a separate folder, because with other flags cargo would build all of target/ again.
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

# commit_built: prints the commit that the program shows as its source. With uncommitted
# changes it is another program, so the text says so.
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
      die 1 "the program contains a path of this machine: $(grep -aoE "$path/[[:alnum:]._/-]{0,60}" "$binary" | head -n 1)"
    fi
  done
}

program_version() {
  "$1" --version | sed -n '1s/^[^ ]* //p' | grep -xE '[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?' ||
    die 1 "$1 --version prints no version"
}

# checkout_version: prints the version in Cargo.toml.
checkout_version() { sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$REPO/Cargo.toml"; }

# check_reproducible WORK: builds the commit in two clones with a different folder, cargo
# home, time zone, language and umask, none of which may change the result.
check_reproducible() {
  local work=$1 first=$1/first second="$1/second-folder-with-a-longer-name" home=$1/other-cargo-home
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} rustup_home=${RUSTUP_HOME:-$HOME/.rustup} item
  [ -z "$(git -C "$REPO" status --porcelain)" ] ||
    say "package: this check leaves out uncommitted changes"
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

# same_packages DIR DIR: whether both folders have the same files with the same content.
same_packages() {
  if diff --recursive --brief "$1" "$2" >&2; then
    say "package: reproducible, both times:"
    cat "$1/SHA256SUMS"
  else
    die 1 "not reproducible: the files above differ"
  fi
}
