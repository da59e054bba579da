# Functions for the scripts in this folder. Source this file; it runs nothing.
# shellcheck shell=bash disable=SC2034

# Messages, exit codes and paths belong here. Functions for only one script do not.

# Without this, "set -e" has no effect inside $(…).
shopt -s inherit_errexit

# Programs such as libvirtd are in sbin, which is not on the PATH of a normal user.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# The root of the repository, for callers in any folder.
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The folder for everything that the lab builds or runs; it is outside the checkout.
LAB_HOME=${EXASOL_LAB_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/exasol-lab}

# The exit codes of the product: 1 failed, 2 wrong usage, 4 something is missing.
EXIT_USAGE=2
EXIT_PREFLIGHT=4

say() { printf '%s\n' "$*" >&2; }

# die CODE MESSAGE...: prints each further argument as a separate line, and exits with CODE.
die() {
  local code=$1
  shift
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit "$code"
}

have() { command -v "$1" >/dev/null 2>&1; }

# The comment block at the top of the calling script is its help text.
usage() {
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"
}

# hash_of FILE...: prints a short hash of the contents. What is built from the files is stored under it.
hash_of() { cat -- "$@" | sha256sum | cut -c1-16; }
