# Packs a program: copies all files into one folder with fixed modes and times, and
# builds the packages from it. Sourced by scripts/package.
# shellcheck shell=bash

NFPM_MODULE=$REPO/packaging/nfpm
PACKAGE_MAINTAINER=${EXASOL_PACKAGE_MAINTAINER:-The exasol maintainers <maintainers@exasol.invalid>}

# Only files that git knows are packed.
DOCUMENTS=(README.md CHANGELOG.md CLOUD_SETUP_LIBVIRT.md CONTRIBUTING.md docs)

# pack BINARY GENERATOR VERSION WORK OUT: GENERATOR is BINARY itself, or the same program
# for this machine if BINARY is for another architecture.
pack() {
  local binary=$1 generator=$2 version=$3 work=$4 out=$5 stage=$4/stage machine nfpm name
  machine=$(machine_of "$binary")
  nfpm=$(nfpm_program)
  stage_files "$binary" "$generator" "$version" "$stage"
  name=exasol-$version-$machine-linux

  tarball "$stage" "$work" "$name"
  cp "$stage/sbom.json" "$work/$name.cdx.json"
  run_nfpm "$nfpm" "$stage" deb "$machine" "$version" "$work/exasol_$version-1_$(debian_name "$machine").deb"
  run_nfpm "$nfpm" "$stage" rpm "$machine" "$version" "$work/exasol-$version-1.$machine.rpm"

  (cd "$work" && mv "$name.tar.gz" "$name.cdx.json" exasol[-_]"$version"-1[_.]* "$out/")
  sum_up "$version" "$out"
}

# sum_up VERSION DIR: writes and prints SHA256SUMS of all packages of this version,
# including those for another architecture from an earlier run.
sum_up() {
  local version=$1 out=$2
  (
    cd "$out"
    find . -maxdepth 1 -type f \( -name "exasol-$version-*-linux.tar.gz" -o -name "exasol-$version-*-linux.cdx.json" \
      -o -name "exasol_$version-1_*.deb" -o -name "exasol-$version-1.*.rpm" \) -printf '%P\0' |
      sort -z | xargs -0 sha256sum >SHA256SUMS.new
    mv SHA256SUMS.new SHA256SUMS
    cat SHA256SUMS
  )
}

# machine_of BINARY: prints the architecture of the program, with the names of `uname -m`.
machine_of() {
  case $(readelf --file-header "$1" | sed -n 's/^ *Machine: *//p') in
    *X86-64) echo x86_64 ;;
    AArch64) echo aarch64 ;;
    *) die 1 "$1 is for neither x86_64 nor aarch64" ;;
  esac
}

debian_name() { case $1 in x86_64) echo amd64 ;; aarch64) echo arm64 ;; esac; }

# glibc_of BINARY: prints the newest version of the C library that the program needs.
glibc_of() {
  readelf --dyn-syms --wide "$1" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort --unique --version-sort | tail -n 1
}

# libraries_of BINARY: prints the libraries that the program needs to start.
libraries_of() { readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort; }

# clean COMMAND...: runs the command without the user's environment, which help texts may show.
clean() { env -i PATH="$PATH" HOME=/nonexistent LC_ALL=C.UTF-8 "$@"; }

# stage_files BINARY GENERATOR VERSION STAGE
stage_files() {
  local binary=$1 generator=$2 version=$3 stage=$4 library shell_file
  mkdir -p "$stage"/{completions,man,man-compressed,doc}
  for library in $(libraries_of "$binary"); do
    case $library in
      libc.so.* | libm.so.* | libgcc_s.so.* | ld-linux-*) ;;
      *) die 1 "the program needs $library, but the packages do not depend on it: see packaging/nfpm.yaml" ;;
    esac
  done
  install -m 755 "$binary" "$stage/exasol"

  for shell_file in bash:exasol.bash zsh:_exasol fish:exasol.fish; do
    clean "$generator" completions "${shell_file%%:*}" >"$stage/completions/${shell_file#*:}" ||
      die 1 "exasol completions ${shell_file%%:*} failed"
  done
  clean "$generator" man --dir "$stage/man" >/dev/null || die 1 "exasol man failed"
  [ -e "$stage/man/exasol.1" ] || die 1 "exasol man wrote no exasol.1"

  git -C "$REPO" ls-files -z -- "${DOCUMENTS[@]}" |
    tar -C "$REPO" --create --null --files-from=- | tar -C "$stage/doc" --extract
  cp "$REPO"/LICENSE "$REPO"/packaging/{copyright,lintian-overrides} "$stage/"
  (cd "$REPO" && cargo metadata --locked --format-version 1 --filter-platform "$(machine_of "$binary")-unknown-linux-gnu") |
    python3 "$REPO/packaging/dependencies.py" --lock "$REPO/Cargo.lock" \
      --sbom "$stage/sbom.json" --notices "$stage/doc/THIRD-PARTY.txt"

  # Debian requires a separate changelog in addition to that of the project.
  printf 'exasol (%s-1) unstable; urgency=medium\n\n  * Release %s; see CHANGELOG.md.\n\n -- %s  %s\n' \
    "$version" "$version" "$PACKAGE_MAINTAINER" "$(date --utc --rfc-email --date "@$SOURCE_DATE_EPOCH")" |
    gzip -9n >"$stage/changelog.Debian.gz"
  for page in "$stage"/man/*; do gzip -9nc "$page" >"$stage/man-compressed/${page##*/}.gz"; done

  find "$stage" -type d -exec chmod 755 {} +
  find "$stage" -type f -exec chmod 644 {} +
  chmod 755 "$stage/exasol"
  find "$stage" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
}

# tarball STAGE WORK NAME
tarball() {
  local stage=$1 work=$2 name=$3 folder=$2/$3
  mkdir -p "$folder"
  cp -a "$stage"/{exasol,completions,man,LICENSE} "$stage"/doc/. "$folder/"
  find "$folder" -type d -exec touch --date "@$SOURCE_DATE_EPOCH" {} +
  tar -C "$work" --create --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --owner=0 --group=0 --numeric-owner "$name" | gzip -9n >"$work/$name.tar.gz"
  rm -rf "$folder"
}

# run_nfpm PROGRAM STAGE deb|rpm MACHINE VERSION TARGET
run_nfpm() {
  local glibc
  glibc=$(glibc_of "$2/exasol")
  (
    cd "$2"
    env GLIBC="$glibc" PACKAGE_ARCH="$(debian_name "$4")" PACKAGE_VERSION="$5" \
      PACKAGE_MAINTAINER="$PACKAGE_MAINTAINER" \
      "$1" package --config "$REPO/packaging/nfpm.yaml" --packager "$3" --target "$6" >&2
  ) || die 1 "nfpm could not build the .$3"
}

# nfpm_program: prints the path of nfpm. It is built once from the pinned module and stored under its hash.
nfpm_program() {
  local target
  target=$LAB_HOME/nfpm/$(hash_of "$NFPM_MODULE/go.mod" "$NFPM_MODULE/go.sum")/nfpm
  if [ ! -e "$target" ]; then
    need_go nfpm
    say "building nfpm (under a minute)"
    build_once nfpm "$target" build_nfpm
  fi
  echo "$target"
}

build_nfpm() { build_go "$NFPM_MODULE" github.com/goreleaser/nfpm/v2/cmd/nfpm "$@"; }
