# shellcheck shell=sh disable=SC2034
# Sourced by database.sh: why a database does not come up although every node is at stage c.

# When that was seen first, and for how long it is nothing to worry about, in seconds.
stuck_since=$HOME/.exasol-stuck-since
stuck_limit=120
# What exainit, which starts COS's services, has to say.
exainit_lines=5
mending=''

# stuck STAGES: prints "stuck: …" lines once it has lasted too long, and sets $mending if it knows one.
stuck() {
  if ! all_at '[cd]*' "$1"; then
    rm -f "$stuck_since"
    return 0
  fi
  moment=$(date +%s)
  first=$(cat "$stuck_since" 2>/dev/null || echo 0)
  # One from before this boot says nothing of it.
  [ "$first" -ge "$(awk '$1 == "btime" { print $2 }' /proc/stat)" ] || { first=$moment; echo "$moment" >"$stuck_since"; }
  [ $((moment - first)) -ge "$stuck_limit" ] || return 0
  for name in $(databases); do explain "$name"; done
  exainit
}

# explain NAME: what confd has of it; sets $mending if that tells why it does not run.
explain() {
  info=$(info_of "$1") || return 0
  state=$(echo "$info" | field state)
  memory=$(echo "$info" | field mem_size)
  echo "stuck: $1 is '$state', its mem_size is '${memory:-not told}'"
  ! is_nothing "$memory" || mend_memory "$1" "$state"
}

# "0", "0 MiB", "0.0 GiB"
is_nothing() { printf '%s\n' "$1" | grep -qE '^0(\.0*)?( *[a-z]*)?$'; }

# mend_memory NAME STATE
mend_memory() {
  size=$(c4 30 _ calculate-memory "$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)" | tr -d ' \n') || size=''
  # mem_size is the sum over all nodes, and c4 is asked about one. What is too much is reduced at the start.
  if printf '%s\n' "$size" | grep -qxE '[0-9]{4,9}' && [ "$size" -ge 1024 ]; then
    size="$((size * NODES)) MiB" which=''
  else
    size='N MiB' which=' (N is for you to choose: the sum over all nodes of what the system can spare)'
  fi
  cos="exasol ssh $NODE-cos -- confd_client"
  stop="$cos db_stop db_name: $1; "
  [ "$2" != setup ] || stop=''
  mending="The database has no memory (mem_size 0). Give it some$which: $stop\
$cos db_configure db_name: $1 mem_size: '$size'; $cos db_start db_name: $1"
}

# Lines that may hold a secret are left out.
exainit() {
  for log in "$HOME"/.ccc/play/local/*/main/"${NODE#n}"/data/logs/cored/exainit.log \
    /var/lib/ccc/play/local/*/main/"${NODE#n}"/data/logs/cored/exainit.log; do
    sudo -n test -e "$log" || continue
    sudo -n tail -n "$exainit_lines" "$log" | grep -viE 'passw|passwd|secret|private' | tr -cd '[:print:]\n' | cut -c 1-200 |
      sed 's/^/stuck: exainit.log: /'
  done
}
