#!/bin/sh
# Removes from this machine, as root, what makes it one: identities, keys, logins, leases and logs. A copy of its disk
# then boots like a copy of the image that it was made from.
#
#   seal.sh LOGIN FILE…       while the login still works; the FILEs are those that cloud-init has written
#   seal.sh --off LOGIN PID   after the process PID has ended: removes the login, and switches the machine off
#
# The last step does not shut the system down, because services would write again what was removed: a random seed,
# leases, logs. It mounts all file systems read-only, so that they are clean, and switches the machine off.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

fail() { echo "error: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

forget_cloud_init() {
  ! have cloud-init || cloud-init clean --logs >/dev/null || fail "cloud-init clean failed"
  rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/scripts /var/lib/cloud/data /var/lib/cloud/sem
  rm -f /etc/sudoers.d/90-cloud-init-users
  # Only files: the folders beside them are the image's own.
  for place in /etc/netplan /etc/network/interfaces.d /etc/systemd/network /etc/NetworkManager/system-connections \
    /etc/ssh/sshd_config.d; do
    [ ! -d $place ] || find $place -maxdepth 1 -type f -name '*cloud-init*' -delete
  done
  rm -f "$@"
}

forget_keys() {
  home=$(getent passwd "$login" | cut -d: -f6)
  rm -f /etc/ssh/ssh_host_*
  # cloud-init tells root's visitors to use the login, with the login's key.
  if [ -s /root/.ssh/authorized_keys ]; then
    awk '{ print $2 }' "$home/.ssh/authorized_keys" >"$work/keys"
    grep -vFf "$work/keys" /root/.ssh/authorized_keys >"$work/others" || true
    if [ -s "$work/others" ]; then cat "$work/others" >/root/.ssh/authorized_keys; else rm -f /root/.ssh/authorized_keys; fi
  fi
  rm -f /root/.bash_history /root/.ssh/known_hosts
}

forget_identity() {
  : >/etc/machine-id
  [ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
  rm -f /var/lib/systemd/credential.secret /var/lib/NetworkManager/secret_key
  if [ -e /usr/lib/open-iscsi/startup-checks.sh ] && [ -e /etc/iscsi/initiatorname.iscsi ]; then
    echo GenerateName=yes >/etc/iscsi/initiatorname.iscsi
  fi
}

# forget_snapd: snapd has registered this machine, and registers the next one if it finds no registration.
forget_snapd() {
  [ -e /var/lib/snapd/state.json ] && have python3 || return 0
  systemctl stop snapd.socket snapd.service 2>/dev/null || true
  python3 - /var/lib/snapd/state.json <<'PYTHON'
import json, os, sys
path = sys.argv[1]
with open(path) as file:
    state = json.load(file)
device = (state.get("data", {}).get("auth") or {}).get("device") or {}
for name in ("serial", "key-id", "session-macaroon"):
    device.pop(name, None)
with open(path + ".new", "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
    json.dump(state, file)
os.rename(path + ".new", path)
PYTHON
  rm -rf /var/lib/snapd/device/private-keys-v1 /var/lib/snapd/assertions/asserts-v0/serial
}

forget_packages() {
  if have apt-get; then
    apt-get clean
    rm -rf /var/lib/apt/lists/*
  else
    dnf -q clean all
  fi
}

forget_leases() {
  rm -f /var/lib/dhcp/*.leases /var/lib/dhclient/*.lease* /var/lib/NetworkManager/*.lease \
    /var/lib/NetworkManager/internal-* /var/lib/NetworkManager/timestamps
}

forget_seed() { rm -f /var/lib/systemd/random-seed /var/lib/random-seed /var/lib/urandom/random-seed; }

forget_logs() {
  systemctl stop rsyslog.service syslog.socket 2>/dev/null || true
  journalctl --relinquish-var 2>/dev/null || true
  rm -rf /var/log/journal/*
  find /var/log -type f \( -name '*.gz' -o -name '*.[0-9]' -o -name '*.old' \) -delete
  find /var/log -type f -exec truncate -s 0 {} +
}

# check_sealed: the copy of a machine that still has one of these would not be a machine of its own.
check_sealed() {
  [ ! -s /etc/machine-id ] || fail "/etc/machine-id is not empty"
  for path in /etc/ssh/ssh_host_* /var/lib/cloud/instance /var/lib/cloud/instances/* /var/lib/systemd/random-seed \
    /var/lib/dhcp/*.leases "$@"; do
    [ ! -e "$path" ] || fail "$path is still there"
  done
}

seal() {
  login=$1
  shift
  # Not on the disk.
  work=$(mktemp -d -p /run)
  trap 'rm -rf "$work"' EXIT
  forget_cloud_init "$@"
  forget_keys
  forget_identity
  forget_snapd
  forget_packages
  forget_leases
  forget_seed
  check_sealed "$@"
}

# off: the machine only goes off if all of it has succeeded; the deployer waits for that.
off() {
  login=$1 session=$2
  while [ -d "/proc/$session" ]; do sleep 0.2; done
  home=$(getent passwd "$login" | cut -d: -f6)
  # Its programs may still run, and do not outlive this script.
  userdel -f -r "$login" 2>/dev/null || ! getent passwd "$login" >/dev/null || fail "user $login cannot be removed"
  [ -z "$home" ] || rm -rf "$home"
  # What tools keep of the files before their last change has the login's password.
  rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
  rm -rf /tmp/* /var/tmp/*
  forget_leases
  forget_seed
  forget_logs
  check_sealed
  sync
  # The kernel does both later, and in any order.
  echo u >/proc/sysrq-trigger
  tries=0
  until is_read_only; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "the file systems cannot be mounted read-only"
    sleep 0.2
  done
  echo o >/proc/sysrq-trigger
}

is_read_only() { awk '$2 == "/" { options = $4 } END { exit ("," options ",") !~ /,ro,/ }' /proc/mounts; }

if [ "$1" = --off ]; then
  off "$2" "$3" >/dev/console 2>&1
else
  seal "$@"
fi
