# shellcheck shell=sh disable=SC2034
# Sourced by database.sh: finds out why a database does not start although every node is at stage c.

# The file with the time when this was first seen, and the seconds after which it is reported.
stuck_since=$HOME/.exasol-stuck-since
stuck_limit=120
# The number of lines of the log of exainit, which starts the services of COS.
exainit_lines=5
mending=''

# stuck STAGES: after $stuck_limit it prints "stuck: …" lines, and sets $mending if it knows how to fix the problem.
stuck() {
  if ! all_at '[cd]*' "$1"; then
    rm -f "$stuck_since"
    return 0
  fi
  moment=$(date +%s)
  first=$(cat "$stuck_since" 2>/dev/null || echo 0)
  # A time from before this boot does not count.
  [ "$first" -ge "$(awk '$1 == "btime" { print $2 }' /proc/stat)" ] || { first=$moment; echo "$moment" >"$stuck_since"; }
  [ $((moment - first)) -ge "$stuck_limit" ] || return 0
  for name in $(databases); do explain "$name"; done
  exainit
}

# explain NAME: prints the state of the database in confd; sets $mending if this shows why it does not run.
explain() {
  info=$(info_of "$1") || return 0
  state=$(echo "$info" | field state)
  memory=$(echo "$info" | field mem_size)
  echo "stuck: $1 is '$state', its mem_size is '${memory:-unknown}'"
  ! is_nothing "$memory" || mend_memory "$1" "$state"
}

# "0", "0 MiB", "0.0 GiB"
is_nothing() { printf '%s\n' "$1" | grep -qE '^0(\.0*)?( *[a-z]*)?$'; }

# mend_memory NAME STATE: sets $mending to the commands that give the database memory.
mend_memory() {
  size=$(c4 30 _ calculate-memory "$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)" | tr -d ' \n') || size=''
  # mem_size is the sum for all nodes, and c4 calculates it for one node. The database reduces a value that is too large.
  if printf '%s\n' "$size" | grep -qxE '[0-9]{4,9}' && [ "$size" -ge 1024 ]; then
    size="$((size * NODES)) MiB" which=''
  else
    size='N MiB' which=' (choose N: the sum of the memory that all nodes can give to the database)'
  fi
  cos="exasol ssh $NODE-cos -- confd_client"
  stop="$cos db_stop db_name: $1; "
  [ "$2" != setup ] || stop=''
  mending="The database has no memory (mem_size 0). Give it memory with these commands$which: $stop\
$cos db_configure db_name: $1 mem_size: '$size'; $cos db_start db_name: $1"
}

# exainit: prints the end of exainit's log without lines that may contain a secret.
exainit() {
  for log in "$HOME"/.ccc/play/local/*/main/"${NODE#n}"/data/logs/cored/exainit.log \
    /var/lib/ccc/play/local/*/main/"${NODE#n}"/data/logs/cored/exainit.log; do
    sudo -n test -e "$log" || continue
    sudo -n tail -n "$exainit_lines" "$log" | grep -viE 'passw|passwd|secret|private' | tr -cd '[:print:]\n' | cut -c 1-200 |
      sed 's/^/stuck: exainit.log: /'
  done
}
