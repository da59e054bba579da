# shellcheck shell=sh disable=SC2034
# Sourced by scripts of the first node: how c4 is asked, and what its stages say.

# It gives a node 3 s to answer before it leaves it out of `ps` (in milliseconds here), and looks for
# machines in AWS unless it is told that there are none.
# An emulated machine is slower yet; systemd calls one by QEMU without KVM "qemu".
CCC_USER_PS_REMOTE_TIMEOUT=10000
[ "$(systemd-detect-virt 2>/dev/null || true)" != qemu ] || CCC_USER_PS_REMOTE_TIMEOUT=30000
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
  c4_limit=$1
  shift
  keep_errors "$1" timeout -k 5 "$c4_limit" "$(c4_program)" "$@" </dev/null
}

# keep_errors TITLE COMMAND…: its stderr goes to the file, and the last line of it to $c4_errors.last. Its input,
# output and exit code are its own.
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

# What c4 said last on stderr, in one line, but for lines that may hold a secret; nothing if it said nothing.
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
