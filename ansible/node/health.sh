#!/bin/sh
# `exasol health` runs this on each node, as the login user. It changes nothing. It prints one fact on each line:
#
#   clock SECONDS                                    seconds since 1970, when the script started
#   node DEPLOYMENT NODE                             the node's deployment and name, from node.conf
#   disk LINK STATE BYTES LEAST MOST                 STATE: ok, missing (no disk with this identity), other
#   space MOUNT KIB FREE                             the file systems that Exasol uses
#   unit NAME STATE                                  the state in systemd: active, activating, failed, …
#   cos ok|silent                                    whether the SSH server of COS answers on the node
#   stages n11=d n12=d                               only on the first node
#   database NAME STATE CONNECTIBLE                  from confd, only on the first node, if a stage is not d although
#                                                    the SQL port shows a certificate
#   certificate SHA256                               the certificate of the SQL port, read on the node
#   end                                              the report is complete
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
# A health check should not take long.
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
  # Prints one line for each unit, in order; the exit code only says that one of them is not active.
  systemctl is-active "$@" | while read -r is; do
    echo "unit $1 $is"
    shift
  done
}

# An emulated node gets 15 s instead of 5 s; c4.sh sets its timeout to 30000 on such a node.
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
