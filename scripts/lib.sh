# Shared by the scripts beside this file. Source it; it runs nothing by itself.
# shellcheck shell=bash disable=SC2034

# What belongs here: messages, exit codes, and where things are kept. What does
# not: anything only one script needs.

# Without this, "set -e" stops at the border of every $(…).
shopt -s inherit_errexit

# Programs such as libvirtd live in sbin, which a normal user's PATH lacks.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# The repository, seen from any caller.
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Everything the lab builds or runs, outside the checkout.
LAB_HOME=${EXASOL_LAB_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/exasol-lab}

# The exit codes of the product: 1 failed, 2 wrong usage, 4 something is missing.
EXIT_USAGE=2
EXIT_PREFLIGHT=4

say() { printf '%s\n' "$*" >&2; }

# die CODE MESSAGE...: each further argument is a line of its own.
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

# hash_of FILE...: short content hash, the key of whatever is built from them.
hash_of() { cat -- "$@" | sha256sum | cut -c1-16; }
