#!/bin/sh
# What `exasol health` asks a node, as the login. Changes nothing. Prints facts, one a line:
#
#   clock SECONDS                                    since 1970, when this began
#   node DEPLOYMENT NODE                             who it was told to be
#   disk LINK STATE BYTES LEAST MOST                 STATE: ok, missing (no disk with its identity), other
#   space MOUNT KIB FREE                             of the file systems that Exasol fills
#   unit NAME STATE                                  as systemd says: active, activating, failed, …
#   cos ok|silent                                    its SSH server, asked on the node
#   stages n11=d n12=d                               on the first node
#   database NAME STATE CONNECTIBLE                  by confd, on the first node, where a stage is not d although
#                                                    the SQL port shows a certificate
#   certificate SHA256                               that its SQL port shows, read on the node
#   end                                              nothing is missing above
set -eu
LC_ALL=C
export LC_ALL
echo "clock $(date +%s.%N)"
# shellcheck source=/dev/null
. /etc/exasol-deployer/node.conf
# shellcheck source=ansible/node/c4.sh
. "${0%/*}/c4.sh"
# shellcheck source=ansible/node/confd.sh
. "${0%/*}/confd.sh"
# shellcheck source=ansible/node/databases.sh
. "${0%/*}/databases.sh"
# shellcheck source=ansible/node/disks.sh
. "${0%/*}/disks.sh"
# Nobody waits long for an examination.
# shellcheck disable=SC2034
confd_patience=10

disk() {
  split "$1"
  if found=$(identified "$identity"); then
    if is_right "$link" "$identity"; then as=ok; else as=other; fi
    echo "disk $link $as $(size_of "$found") $least $most"
  else
    echo "disk $link missing 0 $least $most"
  fi
}

units() {
  set -- c4.service c4_cloud_command.service exasol-admin-ui.service exasol-firewall.service
  [ ! -e /etc/exasol-deployer/overlay.conf ] || set -- "$@" exasol-overlay.service
  # One line a unit, in their order; the exit code tells only that one of them is not active.
  systemctl is-active "$@" | while read -r is; do
    echo "unit $1 $is"
    shift
  done
}

# An emulated node gets three times the 5 s: c4.sh knows whether it is one.
cos() { if ssh-keyscan -T $((CCC_USER_PS_REMOTE_TIMEOUT == 30000 ? 15 : 5)) -p 20002 127.0.0.1 2>/dev/null | grep -q .; then echo "cos ok"; else echo "cos silent"; fi; }

echo "node $DEPLOYMENT $NODE"
for one in $DISKS; do disk "$one"; done
df -Pk / "$HOME" /var | awk 'NR > 1 && !seen[$6]++ { print "space", $6, $2, $4 }'
units
cos
certificate=$("${0%/*}/certificate.sh" || true)
if [ "$FIRST" = yes ]; then
  now=$(stages || true)
  echo "stages $now"
  if [ -n "$certificate" ] && ! all_ready "$now"; then database_states | sed 's/^/database /'; fi
fi
echo "certificate $certificate"
echo end
