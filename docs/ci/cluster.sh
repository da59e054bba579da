#!/usr/bin/env bash
# A cluster for the time of one test: deploy it, run the test, destroy it whatever happens.
#
# Usage: cluster.sh run [INIT OPTION]... -- TEST COMMAND...
#        cluster.sh destroy
#
#   run      makes the deployment if there is none, deploys, runs the test with the
#            variables below, destroys. The exit code is the test's; if the test passed
#            and the destroy failed, the destroy's; 128+n after signal n
#   destroy  removes what an interrupted run has left; exit 0 if there is nothing
#
# INIT OPTION is what `exasol init` takes: --cloud-provider libvirt --cluster-size 3 …
#
# Read from the environment:
#   CLUSTER_DIR        the deployment's directory (default: exasol-cluster)
#   CLUSTER_ARTIFACTS  where logs are copied (default: cluster-logs); no passwords in it
#   CLUSTER_POLL       seconds between two tries of a destroy (default: 2)
#   CLUSTER_GRACE      seconds that an interrupted test has to end by itself (default: 10)
#   CLUSTER_CLEAR      set to 1, the directory is removed too, after a destroy that succeeded
#   CLUSTER_KEEP       set to 1, run destroys nothing: to look at a failed test by hand
#
# The test finds CLUSTER_DSN (hosts/FINGERPRINT:port, as Exasol's drivers take it),
# CLUSTER_HOST, CLUSTER_PORT, CLUSTER_USER, CLUSTER_FINGERPRINT, and CLUSTER_PASSWORD_FILE:
# a file, so that the password is in no environment and no command line.
set -uo pipefail

dir=${CLUSTER_DIR:-exasol-cluster}
artifacts=${CLUSTER_ARTIFACTS:-cluster-logs}
private='' child='' signal='' told='' grace='' killer=''

note() { printf 'cluster: %s\n' "$*" >&2; }
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"; }

# Every command runs in a process group of its own, so that a signal reaches all of it
# and reaches it once: CI systems differ in whom they send one. No standard input: a
# question would stop it for ever.
set -m

# attend COMMAND...: runs it and waits for it, also when a signal comes meanwhile. After
# a signal nothing is started any more.
attend() {
  local status
  [ -z "$signal" ] || return 1
  "$@" </dev/null &
  child=$!
  # One that came before there was a child to tell.
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

# tell: ends what runs. exasol gets the time that it needs, since it leaves everything so
# that it can be destroyed; a test may ignore the signal, and would cost for ever.
tell() {
  told=1
  kill -s TERM -- "-$child" 2>/dev/null
  [ -z "$grace" ] || [ -n "$killer" ] || { outlive "$child" "$grace" & killer=$!; }
}

# outlive GROUP SECONDS: waits until nothing of it runs, and kills what does not end.
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

# destroy: until nothing is left. 75 is "another operation holds the lock": what an
# interrupted deploy still has to finish. A failure is tried once more.
destroy() {
  local status=0 tries=0 deadline=$((SECONDS + 900))
  # init writes it last: without it nothing has been made.
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

# keep_logs: destroy leaves them in the directory; none of them has a password.
keep_logs() {
  mkdir -p "$artifacts" && { [ ! -d "$dir/logs" ] || cp -R "$dir/logs/." "$artifacts/"; }
}

# clear_away: after a destroy that has proved that nothing is left, and after keep_logs.
clear_away() {
  [ "${CLUSTER_CLEAR-}" = 1 ] && [ -e "$dir/deployment.json" ] || return 0
  rm -rf -- "$dir"
}

# field FILE NAME: one value of an answer in JSON.
field() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]] or "")' "$private/$1" "$2"
}

connection() {
  # The mode is there before the password: redirections keep it.
  (umask 077 && : >"$private/info" && : >"$private/password") || return
  attend exasol info -d "$dir" --json --show-password >"$private/info" || return
  field info password >"$private/password" || return
  # GitHub then replaces it wherever it would appear in the job's log.
  [ "${GITHUB_ACTIONS-}" != true ] || echo "::add-mask::$(cat "$private/password")"
  CLUSTER_DSN=$(field info dsn)
  CLUSTER_HOST=$(field info host)
  CLUSTER_PORT=$(field info port)
  CLUSTER_USER=$(field info user)
  CLUSTER_FINGERPRINT=$(field info certificate_fingerprint)
  CLUSTER_PASSWORD_FILE=$private/password
  export CLUSTER_DSN CLUSTER_HOST CLUSTER_PORT CLUSTER_USER CLUSTER_FINGERPRINT CLUSTER_PASSWORD_FILE
}

# set_aside: a directory whose cluster is destroyed is not deployed again.
set_aside() {
  local old
  [ -e "$dir/deployment.json" ] || return 0
  attend exasol status -d "$dir" --json >"$private/status" || return
  [ "$(field status status)" = destroyed ] || return 0
  old=${dir%/}.old-$(date -u +%Y%m%dT%H%M%SZ)-$$
  note "$dir was destroyed before: moved to $old"
  mv -- "$dir" "$old"
}

# steps: init, deploy, the test; the first that fails ends it.
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
  # From here on a signal would only leave more behind.
  trap '' HUP INT TERM
  [ -z "$signal" ] || { status=$((128 + signal)); note "interrupted by signal $signal"; }
  rm -rf "$private"
  if [ "${CLUSTER_KEEP-}" = 1 ]; then
    note "kept, as CLUSTER_KEEP says; end it with: $0 destroy"
  else
    destroy
    destroyed=$?
    [ $destroyed -eq 0 ] || note "NOT DESTROYED (exit $destroyed): run again: $0 destroy"
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
