#!/bin/sh
# Installs the cluster from the first node, as the login. One word says which part:
#
#   install-cluster.sh receive c4 FILE, receive archive FILE
#                                 takes a file that was copied here, if it is the expected one
#   install-cluster.sh diag       c4 host diag
#   install-cluster.sh play       c4 host play, unless this configuration has been played
#   install-cluster.sh finish     the passwords have done their work: the configuration goes
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

# run LIMIT LOG COMMAND…: without a terminal and without input. A question that nobody expects here
# would hang, so what was said last is told when time is up. The log stays on the node.
run() {
  limit=$1 log=$2
  shift 2
  status=0
  private "$log"
  # The lock is this process's, which waits for the command alone and outlives a session that is cut off. What
  # the command leaves behind does not hold it.
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
  # c4's lines begin with their level.
  cause=$(grep -m 1 -E '^(ERRO|FATA)' "$log" || tail -n 1 "$log")
  fail "$* ended with status $status: $cause"
}

# c4 tells its parameters, and passwords are among them: nobody else reads that.
private() { (umask 077 && : >>"$1" && chmod 0600 "$1"); }

receive() {
  case $1 in
    c4) name=c4 mode=0755 sha256=$C4_SHA256 ;;
    *) name=$ARCHIVE mode=0644 sha256=$ARCHIVE_SHA256 ;;
  esac
  found=$(sha256sum "$2")
  [ "${found%% *}" = "$sha256" ] || fail "$name came with the SHA-256 ${found%% *}, not $sha256"
  chmod "$mode" "$2"
  mv -f "$2" "$name"
  echo "changed: $name"
}

# played: whether this configuration has been played. One at a time; who comes while a play that was
# cut off from its deployer goes on waits for it here, longer than a play may take.
# A second play on a living cluster is not known to be safe: another configuration is refused.
played() {
  exec 9>.play.lock
  flock -w 2400 9 || {
    pid=$(cat .play.pid 2>/dev/null || true)
    fail "another play holds $PWD/.play.lock for 40 minutes now: ${pid:+process $pid; }see what it does (ps -ef, and" \
      "$PWD/play.log), end it if it does nothing any more, and deploy again"
  }
  now=$(sha256sum <config)
  [ -e play.done ] || return 1
  [ "$now" != "$(cat play.done)" ] || return 0
  rm -f config
  fail "the cluster was installed with another configuration (version, addresses, disks or passwords; or by an" \
    "earlier exasol, which writes it otherwise), and a running installation cannot take a new one: go back to the" \
    "old values, or destroy and deploy anew"
}

# c4's own opinion of the configuration. It may know keys otherwise than we do: its play decides. Its words may hold
# passwords, so only names of keys are told.
validate() {
  log=config.log
  private "$log"
  ! timeout -k 5 2m ./c4 config -i config -V >"$log" 2>&1 </dev/null 9>&- || return 0
  keys=$(grep -iE 'ERRO|FATA|unknown|invalid|not ' "$log" | grep -oE 'CCC_[A-Z0-9_]+' | sort -u | xargs)
  echo "warning: c4 does not accept its configuration as it is (c4 config -V)${keys:+, because of $keys}; the play goes on," \
    "and c4's words are in $PWD/$log"
}

# The archive was there to be used.
fetched() {
  from=$(sed -n 's@.*Fetching.*[^a-z0-9]\(\(https\{0,1\}\|s3\)://[^/ ]*\).*@\1@p' play.log | sort -u | xargs)
  [ -z "$from" ] ||
    echo "warning: c4 fetched packages from $from, although it had the archive (CCC_PLAY_FROM_FILE): see $PWD/play.log"
}

# By confd's word: a second play on a database that runs is not known to be safe, whatever the stages say.
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
    # A play that ended, but whose end nobody noted.
    [ "$now" = "$(cat play.begun 2>/dev/null)" ] || fail "$NODE runs a cluster that was not installed from here"
  else
    validate
    (umask 077 && echo "$now" >play.begun)
    run 32m play.log ./c4 host play -i config
    fetched
  fi
  mv play.begun play.done
  echo "changed: installed"
}

finish() {
  rm -f config
  # Not to come back after a power failure.
  sync
}

case ${1-} in
  receive) receive "$2" "$3" ;;
  diag | play | finish) "$1" ;;
  *) echo "usage: install-cluster.sh receive|diag|play|finish" >&2; exit 2 ;;
esac
