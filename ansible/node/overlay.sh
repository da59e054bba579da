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
# Outer Ethernet, IPv4, UDP and VXLAN headers: what the network below has to carry besides.
overhead=50

# shellcheck source=/dev/null
. /etc/exasol-deployer/overlay.conf

# The device that has our address in the network below; its name differs between machine types.
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
  # The address of all zeros is where broadcasts, multicasts and unknown addresses go: to everybody.
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
