# `scripts/lab join OTHER`: a bridge in each of two labs, and a pair of network cards that
# joins them, like one switch between two machines. The first lab gives out addresses there,
# and gets an alias for the SSH server of the other. Sourced by scripts/lab; uses what
# commands.sh and sshd.sh define.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # name and STATE come from scripts/lab

JOIN_BRIDGE=br8
JOIN_NET=10.98.0
JOIN_ALIAS="other-lab"

# of_lab NAME COMMAND...: runs the command for another lab.
of_lab() {
  local name=$1 STATE=$LAB_HOME/labs/$1
  shift
  "$@"
}

lab_join() {
  local other=${1-} here there
  if [ -z "$other" ] || [ "$other" = "$name" ]; then
    die "$EXIT_USAGE" "join needs the name of another lab" "like: scripts/lab join --name one two"
  fi
  need_root
  need_up
  of_lab "$other" need_up
  read -r here _ <"$STATE/holder"
  read -r there _ <"$LAB_HOME/labs/$other/holder"
  of_lab "$other" lab_sshd >/dev/null
  if ! in_lab ip link show "$JOIN_BRIDGE" >/dev/null 2>&1; then
    in_lab ip link add join-far type veth peer name join-near
    in_lab ip link set join-far netns "$there"
    join_bridge join-near
    of_lab "$other" join_bridge join-far
    in_lab ip addr add "$JOIN_NET.1/24" dev "$JOIN_BRIDGE"
    in_lab env -i PATH="$PATH" LC_ALL=C.UTF-8 dnsmasq --no-hosts --no-resolv --port=0 \
      --interface="$JOIN_BRIDGE" --bind-interfaces --dhcp-range="$JOIN_NET.50,$JOIN_NET.99" \
      --pid-file="$STATE/join.pid" --dhcp-leasefile="$STATE/join.leases" --conf-file=/dev/null
  fi
  # The other server listens on that lab's own 127.0.0.1.
  cat >"$STATE/ssh_config.d/join.conf" <<CONF
Host $JOIN_ALIAS
  HostName 127.0.0.1
  Port $SSHD_PORT
  User root
  GlobalKnownHostsFile $LAB_HOME/labs/$other/sshd/known_hosts
  IdentityFile $LAB_HOME/labs/$other/sshd/id_ed25519
  ProxyCommand nsenter -n -t $there bash -c 'exec 3<>/dev/tcp/127.0.0.1/$SSHD_PORT; cat <&3 & cat >&3; kill %%1'
CONF
  printf 'bridge=%s\nuri=%s\nholder=%s\n' "$JOIN_BRIDGE" "qemu+ssh://$JOIN_ALIAS/system" "$there"
}

# join_bridge CARD: a bridge with that card, in this lab.
join_bridge() {
  in_lab ip link add "$JOIN_BRIDGE" type bridge
  in_lab ip link set "$1" master "$JOIN_BRIDGE" up
  in_lab ip link set "$JOIN_BRIDGE" up
}
