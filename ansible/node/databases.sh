# shellcheck shell=sh
# Sourced after confd.sh: functions that ask confd about databases. Answers may be JSON or "key: value" lines.

# databases: prints the names of the databases, possibly none; fails without an answer.
databases() {
  list=$(confd db_list -j) || return
  echo "$list" | tr '[]",' '    ' | sed 's/^ *- //' | xargs
}

# The names of states differ between versions and documents: starting or startup, stopping or shutdown.
is_starting() { case $1 in starting | startup) ;; *) return 1 ;; esac; }
is_going_down() { case $1 in stopping | shutdown | setup) ;; *) return 1 ;; esac; }

# state_of NAME: prints the state in lower case, without JSON quotes; nothing if confd does not answer.
state_of() { confd db_state -j "db_name: $1" | tr -d '" \n' | tr '[:upper:]' '[:lower:]'; }

info_of() { confd db_info -j "db_name: $1"; }

# field NAME: reads the output of info_of and prints the first value with that name, in lower case.
field() {
  # shellcheck disable=SC2020 # each of them
  tr ',{}' '\n\n\n' | sed -n "s/^[-[:space:]\"']*$1[\"']*[[:space:]]*:[[:space:]]*[\"']*\([^\"']*\).*/\1/p" |
    sed -n '1s/[[:space:]]*$//p' | tr '[:upper:]' '[:lower:]'
}

# Prints "NAME STATE CONNECTIBLE" for each database; fails without an answer.
database_states() {
  all=$(databases) && [ -n "$all" ] || return 1
  for one in $all; do
    info=$(info_of "$one") || return 1
    state=$(echo "$info" | field state) connectible=$(echo "$info" | field connectible)
    echo "$one ${state:-unknown} ${connectible:-unknown}"
  done
}

# all_run: whether confd says that every database runs and accepts connections.
all_run() {
  of_all=$(database_states) && ! echo "$of_all" | grep -qvE ' running (yes|true)$'
}
