# Sourced by every fake: `stage TOOL.STEP` tells the test that this step is reached, keeps what the program was given for
# the search for secrets, and does what `$HOME/fault/TOOL.STEP` says.

stage() {
  point=$1
  # Of the program itself: a subshell would show what it was given, too, but not under this number.
  cat "/proc/$$/environ" >"$HOME/children/$point.$$.environ"
  cat "/proc/$$/cmdline" >"$HOME/children/$point.$$.cmdline"
  [ -e "$HOME/fault/$point" ] || return 0
  told=$(cat "$HOME/fault/$point")
  case $told in
    idle) exit 0 ;;
    fail) echo "$point: told to fail" >&2; exit 1 ;;
    garbage) printf '}{ \001\033[31m "unterminated\n\000\n[[[[\n' ;;
    utf-8) printf '\377\376 \303( \355\240\200\n' ;;
    huge) yes 'a line that says nothing at all, over and over again, until the pipe or the disk is full' | head -c 20000000; echo ;;
    endless-line) head -c 20000000 /dev/zero | tr '\000' x; echo ;;
    hold) hold ;;
    deaf) trap '' INT TERM HUP QUIT; hold ;;
  esac
}

# It needs a moment to end in order. At a second interrupt Terraform ends at once, and loses what it is making.
interrupted() {
  echo "$point" >>"$HOME/interrupts"
  trap 'echo "$point" >>"$HOME/interrupts"; exit 1' INT
  sleep 0.3
  kill "$plugin" 2>/dev/null
  exit 1
}

# Until the test removes the fault. A program that was interrupted ends in order, and so does one whose plugin has died;
# a plugin ends with its program.
hold() {
  [ "$told" = deaf ] || [ "${point%%.*}" = ssh ] || trap interrupted INT
  while kill -0 $$ 2>/dev/null; do sleep 0.02; done &
  plugin=$!
  echo "$$ $plugin" >"$HOME/at/$point.part"
  mv "$HOME/at/$point.part" "$HOME/at/$point"
  while [ -e "$HOME/fault/$point" ]; do
    if ! kill -0 "$plugin" 2>/dev/null; then
      echo '{"@level":"error","@message":"Error: the plugin is gone","type":"diagnostic","diagnostic":{"severity":"error","summary":"Plugin did not respond","detail":"it was killed"}}'
      exit 1
    fi
    sleep 0.02
  done
  kill "$plugin" 2>/dev/null
  trap - INT
}
