# shellcheck shell=sh disable=SC2154
# Sourced after node.conf and c4.sh, on the first node, as the login user: functions that call confd.
#
#   confd JOB ARGUMENT…    gives the output and exit code of confd_client (no output if it fails). Standard input is
#                          empty, or that of the caller with CONFD_STDIN=yes
#
# confd_client is in COS, the container. The id that `c4 connect` needs differs between installations, so
# there are several ways, and the first one that works is remembered:
#
#   play ID   c4 connect -s cos -i ID, with the id of `c4 config -e .play.id`
#   ps ID     the same, with the id in the table of `c4 ps`
#   1         the same, with the number of the first deployment
#   ssh       ssh cos, with the SSH configuration of the node
#
# In all ways the arguments are joined with blanks and parsed by a second shell: "db_name: X" arrives as two words,
# and an argument that must stay one word needs additional quotes.
# If no way works, confd ends with 69, and confd_failure prints what was tried and why it failed. This can take
# minutes; with CONFD_ONCE=yes confd does not try again for five minutes.

confd_way=$HOME/.exasol-confd-way
confd_failure=$HOME/.exasol-confd-failure
# The time limit of one attempt, in seconds.
confd_patience=45
CONFD_NO_WAY=69

confd() {
  if [ "${CONFD_ONCE-no}" = yes ] && [ -n "$(find "$confd_failure" -mmin -5 2>/dev/null)" ]; then
    return "$CONFD_NO_WAY"
  fi
  confd_old=$(cat "$confd_way" 2>/dev/null || true)
  # Standard input can be read only once, so a job with input uses a way that has just worked.
  if [ -n "$confd_old" ] && [ "${CONFD_STDIN-no}" = no ]; then
    confd_code=0
    confd_through "$confd_old" 90 "$@" </dev/null || confd_code=$?
    [ "$confd_code" -ne 0 ] || return 0
    # Find out whether the job failed or the way did. A job that failed is not run a second time.
    confd_error=$(last_error)
    rm -f "$confd_way"
    confd_find_way || return "$CONFD_NO_WAY"
    if [ "$(cat "$confd_way")" = "$confd_old" ]; then
      (umask 077 && echo "$confd_error" >"$c4_errors.last")
      return "$confd_code"
    fi
  else
    confd_find_way || return "$CONFD_NO_WAY"
  fi
  if [ "${CONFD_STDIN-no}" = yes ]; then
    confd_through "$(cat "$confd_way")" 90 "$@"
  else
    confd_through "$(cat "$confd_way")" 90 "$@" </dev/null
  fi
}

# confd_through WAY SECONDS JOB ARGUMENT…
confd_through() {
  confd_by=$1 confd_limit=$2
  shift 2
  case $confd_by in
    ssh)
      confd_said_by "ssh cos" timeout -k 5 "$confd_limit" \
        ssh -o BatchMode=yes -o ConnectTimeout=15 cos -- confd_client "$@"
      ;;
    *)
      confd_said_by "connect ($confd_by)" timeout -k 5 "$confd_limit" \
        "$(c4_program)" connect -s cos -i "${confd_by#* }" -- confd_client "$@"
      ;;
  esac
}

# confd_said_by TITLE COMMAND…: prints the output only if the command succeeds, because a failed command may print anything.
confd_said_by() {
  if confd_output=$(keep_errors "$@"); then
    [ -z "$confd_output" ] || printf '%s\n' "$confd_output"
  else
    set -- "$?"
    [ -n "$(last_error)" ] || printf '%s\n' "$confd_output" | grep . | tail -n 1 | tr -cd '[:print:]' | cut -c 1-300 >"$c4_errors.last"
    return "$1"
  fi
}

# confd_find_way: asks for the list of databases in every way until one works.
confd_find_way() {
  confd_tried='' confd_play_id=''
  for confd_kind in play ps 1 ssh; do
    case $confd_kind in
      play)
        confd_id=$(c4 20 config -e .play.id </dev/null | tr -d '" \n') || true
        confd_said="'$(printf %s "$confd_id" | tr -cd '[:print:]' | cut -c 1-40)'"
        ;;
      ps)
        confd_id=$(c4 60 ps | tr -cs '0-9A-Za-z.-' '\n' | grep -xE '[0-9a-f]{8}' | head -n 1) || true
        confd_said="no id in its table"
        ;;
      *) confd_id='' ;;
    esac
    case $confd_kind in
      play | ps)
        if ! printf '%s\n' "$confd_id" | grep -qxE '[0-9a-f]{8}'; then
          confd_note "$([ "$confd_kind" = ps ] && echo 'c4 ps' || echo 'c4 config -e .play.id'): $confd_said"
          continue
        fi
        # Often both ids are the same; then this one has just failed.
        [ "$confd_kind $confd_id" != "ps $confd_play_id" ] || continue
        [ "$confd_kind" = ps ] || confd_play_id=$confd_id
        confd_try="$confd_kind $confd_id"
        ;;
      *) confd_try=$confd_kind ;;
    esac
    if confd_answer=$(confd_through "$confd_try" "$confd_patience" db_list -j </dev/null) && [ -n "$confd_answer" ]; then
      (umask 077 && echo "$confd_try" >"$confd_way")
      rm -f "$confd_failure"
      return 0
    fi
    confd_why=$(last_error)
    case $confd_why in
      *"Host key verification failed"* | *"IDENTIFICATION HAS CHANGED"*)
        confd_why="$confd_why (if the container was recreated, run on $NODE: ssh-keygen -R cos)" ;;
    esac
    case $confd_try in
      ssh) confd_note "ssh cos: ${confd_why:-no answer}" ;;
      *) confd_note "c4 connect -i ${confd_try#* }: ${confd_why:-no answer}" ;;
    esac
  done
  (umask 077 && printf '%s\n' "$confd_tried" >"$confd_failure")
  return 1
}

confd_note() { confd_tried="${confd_tried:+$confd_tried; }$1"; }

# confd_failure: prints why no way works, in one line.
confd_failure() { cat "$confd_failure" 2>/dev/null || true; }
