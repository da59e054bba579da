# shellcheck shell=sh disable=SC2034
# Sourced by install-cluster.sh and database.sh: how c4 is asked, and what its stages say.

# c4 SECONDS ARGUMENT…: after the installation the c4 that it brought is the one to ask.
c4() {
  limit=$1
  shift
  for program in "$HOME/.local/bin/c4" "$(command -v c4 || true)" "$RELEASE/c4"; do
    [ ! -x "$program" ] || break
  done
  timeout "$limit" "$program" "$@" </dev/null 2>/dev/null
}

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
