#!/bin/sh
# Starts and stops the database after the installation, as the login user. The argument is the action:
#
#   database.sh up         waits some seconds for stage d on every node; prints "ready: …" or "waiting: …". If a
#                          database stays down although every node is at stage c, it starts it once. If confd
#                          says that the database runs, it is ready at any stage; then it first prints "warning: …".
#   database.sh stop       stops every database cleanly; prints the old and the new state of each
#   database.sh services   stops Exasol's services on this node, after the databases have stopped
#
# Stages: a machine, b c4's services, c COS, d the database.
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
# shellcheck source=ansible/node/stuck.sh
. "${0%/*}/stuck.sh"
cd "$RELEASE" 2>/dev/null || cd

# The longest time for which one `up` waits before it reports, in seconds.
patience=15
# Seconds for which a database may stay down at stage c before it is started; usually it starts automatically.
grace=60
# The time in which the database must write its memory to disk, in seconds.
stop_limit=600
# Seconds for which `stop` waits until a starting database is up, before it stops it.
start_limit=120
# In the home, so that no other user can create it first.
since=$HOME/.exasol-database-down

fail() { echo "error: $*" >&2; exit 1; }

# listens: whether the SQL port accepts TLS connections.
listens() { "${0%/*}/certificate.sh" >/dev/null 2>&1; }

# start_if_down STAGES: starts a database that stays down. The calls are short, so a file keeps the time between them.
start_if_down() {
  if ! all_at '[cd]*' "$1"; then
    rm -f "$since"
    return 0
  fi
  for name in $(databases); do
    [ "$(state_of "$name")" = setup ] || continue
    # A time from before this boot does not count.
    [ "$(stat -c %Y "$since" 2>/dev/null || echo 0)" -ge "$(awk '$1 == "btime" { print $2 }' /proc/stat)" ] || touch "$since"
    [ $(($(date +%s) - $(stat -c %Y "$since"))) -ge "$grace" ] || continue
    rm -f "$since"
    confd db_start "db_name: $name" >/dev/null || {
      why=$(last_error)
      # A start that takes longer than the time limit of confd has begun nevertheless.
      is=$(state_of "$name")
      if is_starting "$is" || [ "$is" = running ]; then continue; fi
      explain "$name"
      fail "$name does not start (confd_client db_start: ${why:-no message})${mending:+. $mending}"
    }
    echo "changed: $name was down, started"
  done
}

up() {
  CONFD_ONCE=yes
  end=$(($(date +%s) + patience))
  while :; do
    left=$((end - $(date +%s)))
    [ "$left" -le 0 ] || CCC_CLOUD_ACTION_WAIT_TIMEOUT=$left c4 "$left" wait --stage d >/dev/null || true
    now=$(stages)
    said=$(last_error)
    if all_ready "$now"; then
      rm -f "$since" "$stuck_since"
      echo "ready: $now"
      return 0
    fi
    start_if_down "$now"
    [ "$(date +%s)" -lt "$end" ] || break
    sleep 1
  done
  # c4 leaves out slow nodes, so ask confd as well if a database may be running.
  if listens && all_run; then
    now=$(stages)
    rm -f "$since" "$stuck_since"
    all_ready "$now" || echo "warning: confd says that the database runs and accepts connections, but c4 ps shows: ${now:-no stage}"
    echo "ready: ${now:-the database runs}"
    return 0
  fi
  stuck "$now"
  echo "waiting: ${now:-no node has answered}${said:+ (c4: $said)}${mending:+. $mending}"
}

stop() {
  rm -f "$since"
  # While a node starts or stops, the cluster needs a moment before it answers.
  tries=0 end=$(($(date +%s) + 240))
  while :; do
    answered=yes
    names=$(databases) || answered=no
    [ -z "$names" ] || break
    tries=$((tries + 1))
    if [ "$tries" -ge 5 ] || [ "$(date +%s)" -ge "$end" ]; then
      now=$(stages || true)
      why=$(confd_failure)
      # Stages alone do not prove that no database runs.
      ! listens || fail "a database runs here, but confd, which stops databases, does not answer (${why:-no reason})"
      if [ "$answered" = no ]; then
        case " $now" in *=c* | *=d*) fail "confd does not answer, although the nodes are at: $now (${why:-no reason})" ;; esac
      fi
      echo "no database runs: the nodes are at: ${now:-no stage}"
      return 0
    fi
    sleep 2
  done
  for name in $names; do
    was=$(state_of "$name")
    case $was in
      setup) ;;
      *)
        stop_one "$name" "$was"
        end=$(($(date +%s) + stop_limit))
        until is=$(state_of "$name") && [ "$is" = setup ]; do
          [ "$(date +%s)" -lt "$end" ] || fail "$name is still '$is' after $stop_limit s, not 'setup'"
          sleep 1
        done
        ;;
    esac
    echo "$name: ${was:-unknown}, now setup"
  done
}

# stop_one NAME STATE: stops the database, unless it is already stopping.
stop_one() {
  is=$2
  end=$(($(date +%s) + start_limit))
  while is_starting "$is" && [ "$(date +%s)" -lt "$end" ]; do
    sleep 1
    is=$(state_of "$1")
  done
  ! is_going_down "$is" || return 0
  confd db_stop "db_name: $1" >/dev/null || {
    why=$(last_error)
    is_going_down "$(state_of "$1")" || fail "$1 does not stop (confd_client db_stop: ${why:-no message})"
  }
}

services() {
  units='exasol-admin-ui.service c4_cloud_command.service c4.service'
  for unit in $units; do
    systemctl cat "$unit" >/dev/null 2>&1 || continue
    sudo -n systemctl stop "$unit" || fail "$unit does not stop"
  done
}

case ${1-} in
  up | stop | services) "$1" ;;
  *) echo "usage: database.sh up|stop|services" >&2; exit 2 ;;
esac
