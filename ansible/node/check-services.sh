#!/bin/sh
# The services that an installation brings run on this node. Prints "warning: …" for those that are
# still starting (c4_cloud_command was seen so on a healthy node), and for a missing mDNS name.
set -eu
LC_ALL=C
export LC_ALL
units='c4.service c4_cloud_command.service exasol-admin-ui.service'

tries=0
while :; do
  down='' starting=''
  for unit in $units; do
    state=$(systemctl is-active "$unit" || true)
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
# What was installed outlives a power failure from now on.
sync
[ -z "$starting" ] || echo "warning: still starting:$starting"
if [ -e /etc/avahi/avahi-daemon.conf ] && ! systemctl -q is-active avahi-daemon; then
  echo "warning: no mDNS name: avahi-daemon does not run"
fi
