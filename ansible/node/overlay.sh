#!/bin/sh
# The overlay network between the nodes (VXLAN, unicast to each peer). exasol-overlay.service runs it
# at boot and after a change of overlay.conf, as root.
#
# overlay.sh up | down
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

link=exasol0
port=4789
# The size of the outer Ethernet, IPv4, UDP and VXLAN headers, which the network below must carry in addition.
overhead=50

# shellcheck source=/dev/null
. /etc/exasol-deployer/overlay.conf

# below: prints the device with this node's address in the network below; its name depends on the machine type.
below() {
  tries=0
  until dev=$(ip -o -4 addr show to "$LOCAL" | awk 'NR == 1 { print $2 }') && [ -n "$dev" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { echo "no device has the address $LOCAL after 60 s" >&2; exit 1; }
    sleep 0.2
  done
  echo "$dev"
}

down() { ! ip link show $link >/dev/null 2>&1 || ip link delete $link; }

up() {
  dev=$(below)
  read -r mtu <"/sys/class/net/$dev/mtu"
  down
  ip link add $link type vxlan id 1 dev "$dev" local "$LOCAL" dstport $port
  # Entries for the all-zero address: broadcasts, multicasts and packets to unknown addresses go to every peer.
  for peer in $PEERS; do
    bridge fdb append 00:00:00:00:00:00 dev $link dst "$peer"
  done
  ip addr add "$ADDRESS" dev $link
  ip link set $link mtu $((mtu - overhead)) up
}

case ${1-} in
  up | down) "$1" ;;
  *) echo "usage: overlay.sh up | down" >&2; exit 2 ;;
esac
