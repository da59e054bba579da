#!/bin/sh
# The services that an installation brings run on this node. Prints "warning: …" for those that are
# still starting (c4_cloud_command was seen so on a healthy node), for an Admin UI that does not come (the
# database does without), and for a missing mDNS name.
#
#   check-services.sh            all of it
#   check-services.sh admin-ui   the Admin UI alone, with less patience: after a start
set -eu
LC_ALL=C
export LC_ALL
units='c4.service c4_cloud_command.service'
ui=exasol-admin-ui.service

state_of() { systemctl is-active "$1" || true; }

services() {
  tries=0
  while :; do
    down='' starting=''
    for unit in $units; do
      state=$(state_of "$unit")
      case $state in
        active) ;;
        activating | reloading) starting="$starting $unit" ;;
        *) down="$down $unit ($state)" ;;
      esac
    done
    [ -n "$down" ] || break
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ]; then
      echo "error: not running:$down" >&2
      # shellcheck disable=SC2086
      systemctl status --no-pager --lines=5 $units >&2 || true
      exit 1
    fi
    sleep 1
  done
  [ -z "$starting" ] || echo "warning: still starting:$starting"
}

# admin_ui SECONDS: nothing starts it after a boot unless c4 does so; here it is started once. One that has just
# come up has to stay for a moment: some die in their first second.
admin_ui() {
  tries=0 seen=0
  while :; do
    state=$(state_of $ui)
    case $state in
      active)
        seen=$((seen + 1))
        [ "$tries" -gt 0 ] && [ "$seen" -lt 3 ] || return 0
        ;;
      activating | reloading) seen=0 ;;
      *)
        seen=0
        if [ "$tries" -eq 0 ] && [ "$(state_of c4.service)" = active ]; then
          sudo -n systemctl --no-block start $ui 2>/dev/null || true
        fi
        ;;
    esac
    [ "$tries" -lt "$1" ] || break
    tries=$((tries + 1))
    sleep 1
  done
  [ "$state" != active ] || return 0
  echo "warning: the Admin UI does not run ($ui: $state), the database does without: sudo journalctl -u $ui"
}

case ${1-} in
  admin-ui)
    admin_ui 30
    exit
    ;;
esac
services
admin_ui 180
# What was installed outlives a power failure from now on.
sync
if [ -e /etc/avahi/avahi-daemon.conf ] && ! systemctl -q is-active avahi-daemon; then
  echo "warning: no mDNS name: avahi-daemon does not run"
fi
