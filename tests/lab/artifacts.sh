# Builds the parts of a lab that take long: the libvirt provider, the Terraform CLI
# configuration, OpenTofu, the Python environment, the image. Sourced by scripts/lab and
# scripts/setup. Each function builds its part if it is missing and prints a path; the
# result is cached under a hash of its sources.
# shellcheck shell=bash

LAB_SOURCES=$REPO/tests/lab
PROVIDER_VERSION=0.8.3

# build_once NAME TARGET FUNCTION: runs FUNCTION unless TARGET exists; only one build
# at a time for all labs. FUNCTION gets a work folder and must create TARGET in a
# single step at its end, so that a killed build leaves no partial result. It must
# chain its commands with &&, because "set -e" has no effect if a caller tests the status.
build_once() {
  local name=$1 target=$2 function=$3 work status=0
  [ -e "$target" ] && return 0
  mkdir -p "$LAB_HOME/locks" "$LAB_HOME/build" "$(dirname "$target")"
  (
    exec 8>"$LAB_HOME/locks/build-$name.lock"
    flock 8
    [ -e "$target" ] && exit 0
    work=$(mktemp -d "$LAB_HOME/build/$name.XXXXXX")
    trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
    "$function" "$work" "$target" >"$LAB_HOME/build/$name.log" 2>&1 8>&-
  ) || status=$?
  [ $status -eq 0 ] || {
    tail -n 20 "$LAB_HOME/build/$name.log" >&2
    die 1 "building $name failed; log: $LAB_HOME/build/$name.log"
  }
}

need_go() {
  have go || die "$EXIT_PREFLIGHT" "go is missing: it builds $1" \
    "install Go 1.26 or newer (or, for OpenTofu: tofu or terraform), then run this again"
}

# The mirror holds the provider twice: Terraform and OpenTofu look under
# different registry names.
lab_mirror() {
  local target
  target=$LAB_HOME/mirror/$(hash_of "$LAB_SOURCES/provider/go.mod" "$LAB_SOURCES/provider/go.sum")
  if [ ! -e "$target" ]; then
    need_go "the libvirt provider"
    say "building the libvirt provider (under a minute)"
    build_once provider "$target" build_provider
  fi
  echo "$target"
}

build_provider() {
  local work=$1 target=$2 registry folder
  cp "$LAB_SOURCES"/provider/go.{mod,sum} "$work/" &&
    (cd "$work" && go build -mod=mod -trimpath -o provider \
      github.com/dmacvicar/terraform-provider-libvirt) &&
    cmp "$LAB_SOURCES/provider/go.sum" "$work/go.sum" || return
  for registry in registry.terraform.io registry.opentofu.org; do
    folder=$work/mirror/$registry/dmacvicar/libvirt/$PROVIDER_VERSION/$(go env GOOS)_$(go env GOARCH)
    mkdir -p "$folder" &&
      ln "$work/provider" "$folder/terraform-provider-libvirt_v$PROVIDER_VERSION" || return
  done
  mv "$work/mirror" "$target"
}

# The lab's CLI configuration. While TF_CLI_CONFIG_FILE names it, Terraform does not
# read the user's ~/.terraformrc.
lab_cli_config() {
  local mirror
  mirror=$(lab_mirror)
  cli_config_for "$mirror"
}

# cli_config_for MIRROR: writes a configuration beside the mirror that installs from
# it, and the checksums of what was built here, which are not the published ones.
# Without a "direct" block Terraform never contacts a registry.
cli_config_for() {
  local mirror=$1 config=$1.tfrc
  [ -e "$mirror.checksums.toml" ] || {
    "$LAB_SOURCES/checksums.py" "$mirror" >"$mirror.checksums.$$"
    mv "$mirror.checksums.$$" "$mirror.checksums.toml"
  }
  [ -e "$config" ] || {
    printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' \
      "$mirror" >"$config.$$"
    mv "$config.$$" "$config"
  }
  echo "$config"
}

tofu_path() {
  echo "$LAB_HOME/tofu/$(hash_of "$LAB_SOURCES/tofu/go.mod" "$LAB_SOURCES/tofu/go.sum")/tofu"
}

lab_tofu() {
  local target
  target=$(tofu_path)
  if [ ! -e "$target" ]; then
    need_go OpenTofu
    say "building OpenTofu (a few minutes)"
    build_once tofu "$target" build_tofu
  fi
  echo "$target"
}

build_tofu() { build_go "$LAB_SOURCES/tofu" github.com/opentofu/opentofu/cmd/tofu "$@"; }

# build_go SOURCES PACKAGE WORK TARGET: for functions of build_once. Builds a Go program
# with the versions in SOURCES; fails if go.sum lacks an entry.
build_go() {
  local sources=$1 package=$2 work=$3 target=$4
  cp "$sources"/go.{mod,sum} "$work/" &&
    (cd "$work" && go build -mod=mod -trimpath -o program "$package") &&
    cmp "$sources/go.sum" "$work/go.sum" &&
    mv "$work/program" "$target"
}

# Installs ansible-core and pyexasol. The key contains the Python version, because a
# virtual environment does not work after a change of its interpreter. "venv" is a
# link to the current environment.
lab_venv() {
  local folder
  folder=$LAB_HOME/venvs/$(venv_key)
  if [ ! -e "$folder/.complete" ]; then
    say "installing ansible-core and pyexasol into a virtual environment"
    build_once venv "$folder/.complete" build_venv
  fi
  [ "$(readlink "$LAB_HOME/venv")" = "$folder" ] || ln -sfn "$folder" "$LAB_HOME/venv"
  echo "$LAB_HOME/venv"
}

venv_is_current() {
  have python3 && [ -e "$LAB_HOME/venvs/$(venv_key)/.complete" ]
}

venv_key() {
  printf '%s-%s\n' "$(hash_of "$LAB_SOURCES/requirements.txt")" \
    "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
}

# Finds a Python that can create virtual environments; Debian's needs python3-venv.
base_python() {
  local python
  for python in python3 /usr/bin/python3; do
    "$python" -c 'import ensurepip, venv' 2>/dev/null && {
      command -v "$python"
      return
    }
  done
  die "$EXIT_PREFLIGHT" "no python3 with the venv module" "run: scripts/setup"
}

# Builds in the final place and does not rename, because the scripts of a virtual
# environment contain its path. The empty file, written last, marks it as complete.
build_venv() {
  local target=$2 folder=${2%/*}
  rm -rf "$folder" &&
    "$(base_python)" -m venv "$folder" &&
    "$folder/bin/pip" install --quiet --requirement "$LAB_SOURCES/requirements.txt" &&
    touch "$target"
}

lab_image() { "$LAB_SOURCES/image/build"; }
