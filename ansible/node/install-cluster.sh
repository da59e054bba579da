#!/bin/sh
# Installs the cluster from the first node, as the login user. The argument is the step:
#
#   install-cluster.sh receive c4 FILE, receive archive FILE
#                                 moves a copied file to its place, if its checksum is right
#   install-cluster.sh diag       runs c4 host diag
#   install-cluster.sh play       runs c4 host play, unless this configuration has already been played
#   install-cluster.sh finish     removes the configuration with its passwords, which are no longer needed
set -eu
umask 022
LC_ALL=C
export LC_ALL
# shellcheck source=/dev/null
. /etc/exasol-deployer/node.conf
# shellcheck source=ansible/node/c4.sh
. "${0%/*}/c4.sh"
# shellcheck source=ansible/node/confd.sh
. "${0%/*}/confd.sh"
# shellcheck source=ansible/node/databases.sh
. "${0%/*}/databases.sh"
cd "$RELEASE"

fail() { echo "error: $*" >&2; exit 1; }

# run LIMIT LOG COMMAND…: runs the command without a terminal and without input. An unexpected question would make
# it hang, so after the time limit the last lines of its output are printed. The log stays on the node.
run() {
  limit=$1 log=$2
  shift 2
  status=0
  private "$log"
  # This subshell holds the lock: it waits only for the command, and continues after a broken session. Processes that
  # the command leaves behind do not inherit the lock.
  (
    trap '' HUP
    ended=0
    timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null 9>&- || ended=$?
    exit "$ended"
  ) >/dev/null 2>&1 &
  echo "$!" >.play.pid
  wait "$!" || status=$?
  rm -f .play.pid
  [ "$status" -ne 0 ] || return 0
  tail -n 30 "$log" >&2
  [ "$status" -ne 124 ] || fail "$* did not end within $limit"
  # Lines of c4 begin with their log level.
  cause=$(grep -m 1 -E '^(ERRO|FATA)' "$log" || tail -n 1 "$log")
  fail "$* ended with status $status: $cause"
}

# private FILE: creates the file so that only the login can read it, because c4 prints its parameters, including passwords.
private() { (umask 077 && : >>"$1" && chmod 0600 "$1"); }

receive() {
  case $1 in
    c4) name=c4 mode=0755 sha256=$C4_SHA256 ;;
    *) name=$ARCHIVE mode=0644 sha256=$ARCHIVE_SHA256 ;;
  esac
  found=$(sha256sum "$2")
  [ "${found%% *}" = "$sha256" ] || fail "the copy of $name has the SHA-256 ${found%% *}, expected $sha256"
  chmod "$mode" "$2"
  mv -f "$2" "$name"
  # Until it is on the disk; the next run would see the wrong checksum and copy it again.
  sync "$name" .
  echo "changed: $name"
}

# played: whether this configuration has been played. Only one play runs at a time. If the session of a play was
# lost while the play continues, a second call waits here for its end, longer than a play may take.
# It is not known whether a second play on a running cluster is safe, so another configuration is refused.
played() {
  exec 9>.play.lock
  flock -w 2400 9 || {
    pid=$(cat .play.pid 2>/dev/null || true)
    fail "another play has held $PWD/.play.lock for 40 minutes${pid:+: process $pid}; check whether it still works (ps -ef, and" \
      "$PWD/play.log), kill it if it does not, and deploy again"
  }
  now=$(sha256sum <config)
  [ -e play.done ] || return 1
  [ "$now" != "$(cat play.done)" ] || return 0
  # A play has ended, and a power failure has destroyed what was written of it.
  if ! grep -qE '^[0-9a-f]{64}  -$' play.done; then
    record
    rm -f play.done
    return 1
  fi
  rm -f config
  fail "the cluster was installed with another configuration (version, addresses, disks or passwords; or by an" \
    "earlier exasol, which writes it differently), and a running installation cannot change it: restore the" \
    "old values, or destroy and deploy again"
}

# record: writes which configuration is played. It is on the disk before the play begins.
record() {
  (umask 077 && echo "$now" >play.begun.new)
  sync play.begun.new
  mv -f play.begun.new play.begun
  sync .
}

# validate: asks c4 to check the configuration. A problem is only a warning, because our list of keys may differ from
# c4's; the play decides. The output of c4 may contain passwords, so only names of keys are printed.
validate() {
  log=config.log
  private "$log"
  ! timeout -k 5 2m ./c4 config -i config -V >"$log" 2>&1 </dev/null 9>&- || return 0
  keys=$(grep -iE 'ERRO|FATA|unknown|invalid|not ' "$log" | grep -oE 'CCC_[A-Z0-9_]+' | sort -u | xargs)
  echo "warning: c4 does not accept its configuration (c4 config -V)${keys:+, because of $keys}; the play continues," \
    "and the output of c4 is in $PWD/$log"
}

# fetched: warns if c4 has downloaded packages, because it should have used the archive.
fetched() {
  from=$(sed -n 's@.*Fetching.*[^a-z0-9]\(\(https\{0,1\}\|s3\)://[^/ ]*\).*@\1@p' play.log | sort -u | xargs)
  [ -z "$from" ] ||
    echo "warning: c4 fetched packages from $from, although it had the archive (CCC_PLAY_FROM_FILE): see $PWD/play.log"
}

# runs: whether confd says that the database runs. It is not known whether a second play is safe then, at any stage.
runs() { "${0%/*}/certificate.sh" >/dev/null 2>&1 && all_run; }

diag() {
  played || run 5m diag.log ./c4 host diag -i config
}

play() {
  if played; then
    echo "unchanged: installed before"
    return 0
  fi
  if all_ready "$(stages 9>&-)" || { [ "$now" = "$(cat play.begun 2>/dev/null)" ] && runs 9>&-; }; then
    # A play has ended, but its end was not recorded.
    [ "$now" = "$(cat play.begun 2>/dev/null)" ] || fail "$NODE runs a cluster that was not installed from here"
  else
    validate
    record
    run 32m play.log ./c4 host play -i config
    fetched
  fi
  mv play.begun play.done
  sync .
  echo "changed: installed"
}

finish() {
  rm -f config
  # So that the file does not reappear after a power failure.
  sync
}

case ${1-} in
  receive) receive "$2" "$3" ;;
  diag | play | finish) "$1" ;;
  *) echo "usage: install-cluster.sh receive|diag|play|finish" >&2; exit 2 ;;
esac
