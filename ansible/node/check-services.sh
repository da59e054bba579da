#!/bin/sh
# Checks that the services of an installation run on this node. Prints "warning: …" for services that are
# still starting (this happens with c4_cloud_command on a healthy node), for an Admin UI that does not start
# (the database works without it), and for a missing mDNS name.
#
#   check-services.sh            checks everything
#   check-services.sh admin-ui   checks only the Admin UI, with a shorter timeout: after a start
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

# admin_ui SECONDS: after a boot only c4 starts the Admin UI; if c4 does not, this function starts it once. After a
# start it must stay active for a moment, because it may end within its first second.
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
  echo "warning: the Admin UI does not run ($ui: $state); the database works without it. To see why: sudo journalctl -u $ui"
}

case ${1-} in
  admin-ui)
    admin_ui 30
    exit
    ;;
esac
services
admin_ui 180
# Write the installation to disk, so that it survives a power failure.
sync
if [ -e /etc/avahi/avahi-daemon.conf ] && ! systemctl -q is-active avahi-daemon; then
  echo "warning: this node has no mDNS name, because avahi-daemon does not run"
fi
