# shellcheck shell=sh disable=SC2154
# Runs for `exasol license` on the first node, as the login user. c4.sh and confd.sh come before it, in one text for
# `sh -c`, so that it works on a cluster of an earlier version, too. The argument is the action:
#
#   show      prints the fields of the licence from confd, as JSON
#   upload    uploads the licence from standard input
#   kept      prints the current licence from confd, as one JSON string
set -eu
LC_ALL=C
export LC_ALL

fail() { echo "error: $*" >&2; exit 1; }

# ask JOB ARGUMENT…: prints the answer of confd, or ends with an error.
ask() {
  code=0
  answer=$(confd "$@") || code=$?
  case $code in
    0) printf '%s\n' "$answer" ;;
    "$CONFD_NO_WAY") fail "confd cannot be reached: $(confd_failure)" ;;
    *) fail "confd refuses ($1): $(printf '%s %s' "$answer" "$(last_error)" | tr '\n' ' ' | cut -c 1-600)" ;;
  esac
}

case ${1-} in
  show) ask license_info -j ;;
  # The inner quotes are for confd, the outer ones for the second shell.
  upload)
    CONFD_STDIN=yes
    export CONFD_STDIN
    ask license_upload license: "'\"{< -}\"'"
    ;;
  kept) ask license_download -j ;;
  *) fail "license.sh show|upload|kept" ;;
esac
