#!/bin/sh
# Installs the cluster from the first node, as the login. One word says which part:
#
#   install-cluster.sh receive c4 FILE, receive archive FILE
#                                 takes a file that was copied here, if it is the expected one
#   install-cluster.sh diag       c4 host diag
#   install-cluster.sh play       c4 host play, unless this configuration has been played
#   install-cluster.sh stage      waits a while for stage d; prints "ready: …" or "waiting: n11=b …"
#   install-cluster.sh finish     the passwords have done their work: the configuration goes
#
# Stages: a machine, b c4's services, c COS, d the database.
set -eu
umask 022
LC_ALL=C
export LC_ALL
# shellcheck source=/dev/null
. /etc/exasol-deployer/node.conf
cd "$RELEASE"

# How long one `stage` waits at most before it reports, in seconds.
patience=15

fail() { echo "error: $*" >&2; exit 1; }

# c4 SECONDS ARGUMENT…: after the installation the c4 that it brought is the one to ask.
c4() {
  limit=$1
  shift
  for program in "$HOME/.local/bin/c4" "$(command -v c4 || true)" ./c4; do
    [ ! -x "$program" ] || break
  done
  timeout "$limit" "$program" "$@" </dev/null 2>/dev/null
}

# run LIMIT LOG COMMAND…: without a terminal and without input. A question that nobody expects here
# would hang, so what was said last is told when time is up. The log stays on the node.
run() {
  limit=$1 log=$2
  shift 2
  status=0
  timeout "$limit" "$@" >"$log" 2>&1 </dev/null || status=$?
  [ "$status" -ne 0 ] || return 0
  tail -n 30 "$log" >&2
  [ "$status" -ne 124 ] || fail "$* did not end within $limit"
  # c4's lines begin with their level.
  cause=$(grep -m 1 -E '^(ERRO|FATA)' "$log" || tail -n 1 "$log")
  fail "$* ended with status $status: $cause"
}

# "n11=b1 n12=a1": c4's answer to the filter is a list of {node, stage}, in one line or in several.
stages() {
  c4 60 ps -e '.[].Instances.Configs | to_entries | map({node: .key, stage: .value.ground.boot_stage})' |
    tr -d ' \n\t' | tr '}' '\n' |
    sed -n 's/.*"node":"\{0,1\}\([^",]*\)"\{0,1\},"stage":"\([^"]*\)".*/\1=\2/p' | xargs
}

# Every node, and each of them at d: an empty list would prove nothing.
all_ready() {
  count=0
  for stage in $1; do
    [ "${stage#*=}" = d ] || return 1
    count=$((count + 1))
  done
  [ "$count" -eq "$NODES" ]
}

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
# cut off from its deployer goes on waits for it here, because c4 inherits the lock and outlives us.
# A second play on a living cluster is not known to be safe: another configuration is refused.
played() {
  exec 9>.play.lock
  flock 9
  now=$(sha256sum <config)
  [ -e play.done ] || return 1
  [ "$now" != "$(cat play.done)" ] || return 0
  rm -f config
  fail "the cluster was installed with another configuration (version, addresses, disks or passwords), and a" \
    "running installation cannot take a new one: go back to the old values, or destroy and deploy anew"
}

diag() {
  played || run 5m diag.log ./c4 host diag -i config
}

play() {
  if played; then
    echo "unchanged: installed before"
    return 0
  fi
  if all_ready "$(stages)"; then
    # A play that ended, but whose end nobody noted.
    [ "$now" = "$(cat play.begun 2>/dev/null)" ] || fail "$NODE runs a cluster that was not installed from here"
  else
    (umask 077 && echo "$now" >play.begun)
    run 32m play.log ./c4 host play -i config
  fi
  mv play.begun play.done
  echo "changed: installed"
}

# The exit code of `c4 wait` does not tell success from time-out: the stages are the proof.
stage() {
  end=$(($(date +%s) + patience))
  while :; do
    left=$((end - $(date +%s)))
    [ "$left" -le 0 ] || CCC_CLOUD_ACTION_WAIT_TIMEOUT=$left c4 "$left" wait --stage d >/dev/null || true
    now=$(stages)
    if all_ready "$now"; then
      echo "ready: $now"
      return 0
    fi
    [ "$(date +%s)" -lt "$end" ] || break
    sleep 1
  done
  echo "waiting: ${now:-no node has answered}"
}

finish() {
  rm -f config
}

case ${1-} in
  receive) receive "$2" "$3" ;;
  diag | play | stage | finish) "$1" ;;
  *) echo "usage: install-cluster.sh receive|diag|play|stage|finish" >&2; exit 2 ;;
esac
