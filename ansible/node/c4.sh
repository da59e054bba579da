# shellcheck shell=sh disable=SC2034
# Sourced by scripts of the first node: functions that call c4 and read its stages.

# By default c4 leaves a node out of `ps` if it does not answer within 3 s, and looks for machines in AWS. Both
# settings are changed here (the timeout is in milliseconds). An emulated machine is even slower; systemd
# calls a machine of QEMU without KVM "qemu".
CCC_USER_PS_REMOTE_TIMEOUT=10000
[ "$(systemd-detect-virt 2>/dev/null || true)" != qemu ] || CCC_USER_PS_REMOTE_TIMEOUT=30000
CCC_AWS_PROFILE=none
export CCC_USER_PS_REMOTE_TIMEOUT CCC_AWS_PROFILE

# The stderr of c4, newest last. It may contain parameters, so only the login may read it.
c4_errors=$HOME/.exasol-c4-errors.log
c4_errors_most=65536

# c4_program: prints the path of c4. After the installation this is the installed c4, not the copied one.
c4_program() {
  for program in "$HOME/.local/bin/c4" "$(unset -f c4; command -v c4 || true)" "$RELEASE/c4"; do
    [ ! -x "$program" ] || break
  done
  echo "$program"
}

# c4 SECONDS ARGUMENT…: runs c4 with a time limit.
c4() {
  c4_limit=$1
  shift
  keep_errors "$1" timeout -k 5 "$c4_limit" "$(c4_program)" "$@" </dev/null
}

# keep_errors TITLE COMMAND…: runs the command. Its stderr is appended to the file, and the last line is written to
# $c4_errors.last. Its input, output and exit code are not changed.
keep_errors() {
  kept_as=$1 kept_code=0
  shift
  kept_now=$c4_errors.$$
  (umask 077 && : >"$kept_now")
  "$@" 2>"$kept_now" || kept_code=$?
  [ "$kept_code" -ne 124 ] || echo "no answer within its time" >>"$kept_now"
  (
    umask 077
    grep . "$kept_now" | grep -viE 'passw|secret|private|_key=' | tail -n 1 | tr -cd '[:print:]' | cut -c 1-300 >"$c4_errors.last"
    if [ -s "$kept_now" ]; then
      { echo "-- $(date -u +%FT%TZ) $kept_as, exit code $kept_code"; tail -c 8192 "$kept_now"; } >>"$c4_errors"
      if [ "$(wc -c <"$c4_errors")" -gt "$c4_errors_most" ]; then
        tail -c $((c4_errors_most / 2)) "$c4_errors" >"$kept_now"
        mv -f "$kept_now" "$c4_errors"
      fi
    fi
  ) 2>/dev/null || true
  rm -f "$kept_now"
  return "$kept_code"
}

# last_error: prints the last line of c4's stderr that cannot contain a secret; nothing if there is none.
last_error() { cat "$c4_errors.last" 2>/dev/null || true; }

# stages: prints for example "n11=b1 n12=a1". c4 answers the filter with a list of {node, stage}, on one or several lines.
stages() {
  c4 60 ps -e '.[].Instances.Configs | to_entries | map({node: .key, stage: .value.ground.boot_stage})' |
    tr -d ' \n\t' | tr '}' '\n' |
    sed -n 's/.*"node":"\{0,1\}\([^",]*\)"\{0,1\},"stage":"\([^"]*\)".*/\1=\2/p' | xargs
}

# all_at PATTERN STAGES: whether every node is in the list and its stage matches. (An empty list proves nothing.)
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
