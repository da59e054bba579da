# Finds the processes of a lab: those that see its mark in their /run, and no others.
# This finds daemons, guests and everything that `exec` started. It needs no list that
# could be incomplete, and does not confuse a reused process id or namespace number with
# a process of the lab. Sourced by scripts/lab.
# shellcheck shell=bash

# Written by inside.sh into the lab's own /run; holds the lab's unique id.
LAB_MARK=run/exasol-lab-id

# start_time PID: in clock ticks since boot; with the id it names one process.
# Fails for one that is gone, or dead and not yet collected by its parent.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The second field is the program's name in parentheses and may hold spaces.
  stat=${stat##*) }
  [[ $stat != [ZX]* ]] || return 1
  awk '{ print $20 }' <<<"$stat"
}

# alive PID START: whether this process still runs (not another one with the same id).
alive() {
  [ -n "$1" ] && [ -n "$2" ] && [ "$(start_time "$1")" = "$2" ]
}

# members ID: the ids of all processes of the lab with that unique id. Read all of
# it: a reader that stops early (grep -q) makes it fail.
members() {
  local mark id
  for mark in /proc/[0-9]*/root/"$LAB_MARK"; do
    id=
    { read -r id <"$mark"; } 2>/dev/null || true
    [ "$id" = "$1" ] || continue
    mark=${mark#/proc/}
    echo "${mark%%/*}"
  done
}

# end_members ID: sends SIGTERM, waits up to 5 s, then sends SIGKILL.
end_members() {
  local id=$1 pids tries
  [ -n "$id" ] || return 0
  for tries in $(seq 100); do
    mapfile -t pids < <(members "$id")
    [ ${#pids[@]} -gt 0 ] || return 0
    if [ "$tries" -eq 1 ]; then
      kill -TERM "${pids[@]}" 2>/dev/null || true
    elif [ "$tries" -gt 50 ]; then
      kill -KILL "${pids[@]}" 2>/dev/null || true
    fi
    sleep 0.1
  done
  die 1 "these processes did not end: ${pids[*]}"
}
