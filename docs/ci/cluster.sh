#!/usr/bin/env bash
# Deploys a cluster for one test, runs the test, and always destroys the cluster.
#
# Usage: cluster.sh run [INIT OPTION]... -- TEST COMMAND...
#        cluster.sh destroy
#
#   run      creates the deployment if it does not exist, deploys, runs the test with
#            the variables below, destroys. The exit code is that of the test; if the test
#            passes and the destroy fails, that of the destroy; 128+n after signal n
#   destroy  removes what an interrupted run has left; exit code 0 if there is nothing
#
# INIT OPTION is an option of `exasol init`: --cloud-provider libvirt --cluster-size 3 …
#
# Variables that the script reads:
#   CLUSTER_DIR        the deployment's directory (default: exasol-cluster)
#   CLUSTER_ARTIFACTS  folder for copies of the logs (default: cluster-logs); they have no passwords
#   CLUSTER_POLL       seconds between two attempts to destroy (default: 2)
#   CLUSTER_GRACE      seconds after which an interrupted test is killed (default: 10)
#   CLUSTER_CLEAR      1: also remove the directory after a successful destroy
#   CLUSTER_KEEP       1: run does not destroy, so that you can inspect a failed test
#
# Variables for the test: CLUSTER_DSN (hosts/FINGERPRINT:port, for Exasol's drivers),
# CLUSTER_HOST, CLUSTER_PORT, CLUSTER_USER, CLUSTER_FINGERPRINT, and CLUSTER_PASSWORD_FILE.
# The password is in a file so that it is in no environment and no command line.
set -uo pipefail

dir=${CLUSTER_DIR:-exasol-cluster}
artifacts=${CLUSTER_ARTIFACTS:-cluster-logs}
private='' child='' signal='' told='' grace='' killer=''

note() { printf 'cluster: %s\n' "$*" >&2; }
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"; }

# Every command runs in its own process group. So a signal reaches all processes of the
# command exactly once; CI systems differ in the processes to which they send a signal.
# Commands have no standard input, because a question would block them for ever.
set -m

# attend COMMAND...: runs the command and waits for it, even if a signal arrives
# meanwhile. After a signal it starts no further command.
attend() {
  local status
  [ -z "$signal" ] || return 1
  "$@" </dev/null &
  child=$!
  # A signal may have arrived before the child existed: pass it on now.
  [ -z "$signal" ] || [ -n "$told" ] || tell
  while :; do
    wait "$child"
    status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  while [ -n "$killer" ] && kill -0 "$killer" 2>/dev/null; do wait "$killer"; done
  child='' killer=''
  return $status
}

# tell: ends the running command. exasol gets as much time as it needs, because it saves
# its state, which destroy needs. A test has only CLUSTER_GRACE seconds, because it may ignore the signal.
tell() {
  told=1
  kill -s TERM -- "-$child" 2>/dev/null
  [ -z "$grace" ] || [ -n "$killer" ] || { outlive "$child" "$grace" & killer=$!; }
}

# outlive GROUP SECONDS: waits until no process of the group runs; kills the rest after SECONDS.
outlive() {
  local deadline=$((SECONDS + $2))
  while kill -0 -- "-$1" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || { kill -s KILL -- "-$1" 2>/dev/null; return; }
    sleep 0.1
  done
}

on_signal() {
  signal=${signal:-$1}
  [ -z "$child" ] || tell
}

# destroy: repeats `exasol destroy` until nothing is left. Exit code 75 means that another
# operation holds the lock, for example an interrupted deploy that still finishes. After
# another failure it tries once more.
destroy() {
  local status=0 tries=0 deadline=$((SECONDS + 900))
  # init writes this file last; without it nothing has been created.
  [ -e "$dir/deployment.json" ] || { note "nothing to destroy in $dir"; return 0; }
  while :; do
    exasol destroy -d "$dir" --yes </dev/null
    status=$?
    case $status in
      0) break ;;
      75) [ $SECONDS -lt $deadline ] || break ;;
      *) tries=$((tries + 1)); [ $tries -lt 2 ] || break ;;
    esac
    sleep "${CLUSTER_POLL:-2}"
  done
  return $status
}

# keep_logs: copies the logs, which destroy leaves in the directory; they have no passwords.
keep_logs() {
  mkdir -p "$artifacts" && { [ ! -d "$dir/logs" ] || cp -R "$dir/logs/." "$artifacts/"; }
}

# clear_away: removes the directory. Call it only after a successful destroy and keep_logs.
clear_away() {
  [ "${CLUSTER_CLEAR-}" = 1 ] && [ -e "$dir/deployment.json" ] || return 0
  rm -rf -- "$dir"
}

# field FILE NAME: prints one value of a JSON result.
field() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]] or "")' "$private/$1" "$2"
}

connection() {
  # Create the files with their mode first; the redirections below keep the mode.
  (umask 077 && : >"$private/info" && : >"$private/password") || return
  attend exasol info -d "$dir" --json --show-password >"$private/info" || return
  field info password >"$private/password" || return
  # GitHub then masks the password in the job's log.
  [ "${GITHUB_ACTIONS-}" != true ] || echo "::add-mask::$(cat "$private/password")"
  CLUSTER_DSN=$(field info dsn)
  CLUSTER_HOST=$(field info host)
  CLUSTER_PORT=$(field info port)
  CLUSTER_USER=$(field info user)
  CLUSTER_FINGERPRINT=$(field info certificate_fingerprint)
  CLUSTER_PASSWORD_FILE=$private/password
  export CLUSTER_DSN CLUSTER_HOST CLUSTER_PORT CLUSTER_USER CLUSTER_FINGERPRINT CLUSTER_PASSWORD_FILE
}

# set_aside: renames the directory of a destroyed cluster, which cannot be deployed again.
set_aside() {
  local old
  [ -e "$dir/deployment.json" ] || return 0
  attend exasol status -d "$dir" --json >"$private/status" || return
  [ "$(field status status)" = destroyed ] || return 0
  old=${dir%/}.old-$(date -u +%Y%m%dT%H%M%SZ)-$$
  note "the cluster of $dir is already destroyed: moved the directory to $old"
  mv -- "$dir" "$old"
}

# steps: runs init, deploy and the test; stops at the first failure.
steps() {
  set_aside || return
  if [ ! -e "$dir/deployment.json" ]; then
    attend exasol init "${options[@]}" -d "$dir" || return
    [ -z "$signal" ] || return 1
  fi
  attend exasol deploy -d "$dir" --yes || return
  [ -z "$signal" ] || return 1
  connection || return
  [ -z "$signal" ] || return 1
  note "running: ${test[*]}"
  grace=${CLUSTER_GRACE:-10}
  attend "${test[@]}"
}

run() {
  local status=0 destroyed=0
  trap 'on_signal 1' HUP
  trap 'on_signal 2' INT
  trap 'on_signal 15' TERM
  private=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/cluster.XXXXXX") || return
  steps
  status=$?
  # Ignore signals from here on: they would only interrupt the cleanup.
  trap '' HUP INT TERM
  [ -z "$signal" ] || { status=$((128 + signal)); note "interrupted by signal $signal"; }
  rm -rf "$private"
  if [ "${CLUSTER_KEEP-}" = 1 ]; then
    note "not destroyed, because CLUSTER_KEEP=1; to destroy it: $0 destroy"
  else
    destroy
    destroyed=$?
    [ $destroyed -eq 0 ] || note "NOT DESTROYED (exit code $destroyed): to try again: $0 destroy"
  fi
  keep_logs && [ "${CLUSTER_KEEP-}" != 1 ] && [ $destroyed -eq 0 ] && clear_away
  [ $status -ne 0 ] || status=$destroyed
  note "exit $status"
  return $status
}

case ${1-} in
  run)
    shift
    options=() test=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
    [ $# -gt 1 ] || { usage >&2; exit 2; }
    shift
    test=("$@")
    run
    ;;
  destroy)
    destroy
    status=$?
    keep_logs && [ $status -eq 0 ] && clear_away
    exit $status
    ;;
  -h | --help) usage ;;
  *) usage >&2; exit 2 ;;
esac
