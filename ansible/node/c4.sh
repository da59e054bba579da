# shellcheck shell=sh disable=SC2034
# Sourced by scripts of the first node: how c4 is asked, and what its stages say.

# It gives a node 3 s to answer before it leaves it out of `ps` (in milliseconds here), and looks for
# machines in AWS unless it is told that there are none.
CCC_USER_PS_REMOTE_TIMEOUT=10000
[ "${EMULATED-no}" = no ] || CCC_USER_PS_REMOTE_TIMEOUT=30000
CCC_AWS_PROFILE=none
export CCC_USER_PS_REMOTE_TIMEOUT CCC_AWS_PROFILE

# What c4 said on stderr, newest last. It may tell parameters: nobody else reads it.
c4_errors=$HOME/.exasol-c4-errors.log
c4_errors_most=65536

# After the installation the c4 that it brought is the one to ask.
c4_program() {
  for program in "$HOME/.local/bin/c4" "$(unset -f c4; command -v c4 || true)" "$RELEASE/c4"; do
    [ ! -x "$program" ] || break
  done
  echo "$program"
}

# c4 SECONDS ARGUMENT…
c4() {
  limit=$1
  shift
  keep_errors "$1" timeout "$limit" "$(c4_program)" "$@" </dev/null
}

# keep_errors TITLE COMMAND…: its stderr goes to the file, and the last line of it to $c4_errors.last. Its input,
# output and exit code are its own.
keep_errors() {
  title=$1 code=0
  shift
  said=$c4_errors.$$
  (umask 077 && : >"$said")
  "$@" 2>"$said" || code=$?
  [ "$code" -ne 124 ] || echo "no answer within its time" >>"$said"
  (
    umask 077
    grep . "$said" | tail -n 1 | tr -cd '[:print:]' | cut -c 1-300 >"$c4_errors.last"
    if [ -s "$said" ]; then
      { echo "-- $(date -u +%FT%TZ) $title, exit code $code"; tail -c 8192 "$said"; } >>"$c4_errors"
      if [ "$(wc -c <"$c4_errors")" -gt "$c4_errors_most" ]; then
        tail -c $((c4_errors_most / 2)) "$c4_errors" >"$c4_errors.short.$$"
        mv -f "$c4_errors.short.$$" "$c4_errors"
      fi
    fi
  ) 2>/dev/null || true
  rm -f "$said"
  return "$code"
}

# What c4 said last on stderr, in one line; nothing if it said nothing.
last_error() { cat "$c4_errors.last" 2>/dev/null || true; }

# "n11=b1 n12=a1": c4's answer to the filter is a list of {node, stage}, in one line or in several.
stages() {
  c4 60 ps -e '.[].Instances.Configs | to_entries | map({node: .key, stage: .value.ground.boot_stage})' |
    tr -d ' \n\t' | tr '}' '\n' |
    sed -n 's/.*"node":"\{0,1\}\([^",]*\)"\{0,1\},"stage":"\([^"]*\)".*/\1=\2/p' | xargs
}

# all_at PATTERN STAGES: every node, and each of them there: an empty list would prove nothing.
all_at() {
  count=0
  for stage in $2; do
    # shellcheck disable=SC2254 # a pattern
    case ${stage#*=} in $1) ;; *) return 1 ;; esac
    count=$((count + 1))
  done
  [ "$count" -eq "$NODES" ]
}

all_ready() { all_at d "$1"; }
