# shellcheck shell=sh disable=SC2154
# `exasol license` on the first node, as the login. c4.sh and confd.sh stand before it, in one text for `sh -c`,
# so that a cluster of an earlier version has it too. One word says what:
#
#   show      the licence's fields, as confd tells them: JSON
#   upload    the licence is what comes in by standard input
#   kept      the licence that is in force, as confd tells it: one text in JSON
set -eu
LC_ALL=C
export LC_ALL

fail() { echo "error: $*" >&2; exit 1; }

# ask JOB ARGUMENT…
ask() {
  code=0
  answer=$(confd "$@") || code=$?
  case $code in
    0) printf '%s\n' "$answer" ;;
    "$CONFD_NO_WAY") fail "confd cannot be asked: $(confd_failure)" ;;
    *) fail "confd refuses ($1): $(printf '%s %s' "$answer" "$(last_error)" | tr '\n' ' ' | cut -c 1-600)" ;;
  esac
}

case ${1-} in
  show) ask license_info -j ;;
  # The inner quotes are confd's, the outer ones the second shell's.
  upload)
    CONFD_STDIN=yes
    export CONFD_STDIN
    ask license_upload license: "'\"{< -}\"'"
    ;;
  kept) ask license_download -j ;;
  *) fail "license.sh show|upload|kept" ;;
esac
