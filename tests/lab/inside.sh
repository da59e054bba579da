#!/usr/bin/env bash
# Runs as the first process of a lab, already in new mount and network
# namespaces: sets up private folders and a network, starts libvirt, and then sleeps,
# which keeps the namespaces alive. Only scripts/lab starts it.
#
# Usage: inside.sh STATE CAPS KVM    (folder of the lab, folder of QEMU's
#        capability cache, "visible" or "masked")
set -euo pipefail
state=$1 caps=$2 kvm=$3

# The private /run with its mark comes first, so that all processes from here on can
# be found by the mark (see processes.sh).
mount -t tmpfs -o mode=755 lab-run /run
cp "$state/id" /run/exasol-lab-id
mkdir -p /run/lock /run/sshd

# /sys shows the network namespace in which it was mounted, and libvirt and others look
# for bridges there. So mount it again. This also hides the control groups, which the
# lab does not use because all labs would share them.
mount -t sysfs lab-sys /sys
ip link set lo up

bind() {
  mkdir -p "$1" "$2"
  mount --bind "$1" "$2"
}
bind "$state/lib" /var/lib/libvirt
bind "$state/etc" /etc/libvirt
bind "$state/log" /var/log/libvirt
bind "$caps" /var/cache/libvirt
# Client settings for `scripts/lab sshd`; the user's own ~/.ssh stays as it is.
[ ! -d /etc/ssh/ssh_config.d ] || bind "$state/ssh_config.d" /etc/ssh/ssh_config.d

# If the daemon can open /dev/kvm but QEMU's user cannot, libvirtd probes QEMU again at
# every call. So /dev/kvm becomes an empty file with mode 000 that nobody can open.
if [ "$kvm" = masked ] && [ -e /dev/kvm ]; then
  install -m 000 /dev/null /run/no-kvm
  mount --bind /run/no-kvm /dev/kvm
fi

# Hides programs that users need not have, so that the tests work without them too.
install -m 000 /dev/null /run/not-installed
for program in xsltproc mkisofs genisoimage xorriso xorrisofs cloud-localds; do
  while read -r program; do
    mount --bind /run/not-installed "$(readlink -f "$program")"
  done < <(type -ap "$program")
done

# Not a copy of the host's configuration: that would bring the user's domains
# and networks, autostart included.
cat >/etc/libvirt/libvirtd.conf <<'CONF'
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
CONF
# namespaces: QEMU's own would try to move the mount over /dev/kvm and fail.
cat >/etc/libvirt/qemu.conf <<'CONF'
namespaces = []
cgroup_controllers = []
CONF
# Owners and modes (the driver "dac") are libvirt's defaults. AppArmor and SELinux cannot
# be private to a lab: libvirtd would write profiles into the host's /etc and load them
# into its kernel. scripts/workstation tests them.
if [ -e /sys/module/apparmor ] || [ -e /sys/fs/selinux ]; then
  echo 'security_driver = "none"' >>/etc/libvirt/qemu.conf
fi
: >/etc/libvirt/virtlogd.conf
mkdir -p /var/lib/libvirt/images

virtlogd -d
libvirtd -d

export LIBVIRT_DEFAULT_URI=qemu:///system
virsh -q net-define /dev/stdin <<'XML'
<network>
  <name>default</name>
  <bridge name='virbr0'/>
  <forward mode='nat'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>
XML
virsh -q net-start default
virsh -q net-autostart default
virsh -q pool-define-as default dir --target /var/lib/libvirt/images
virsh -q pool-start default
virsh -q pool-autostart default
# The first query of the capabilities probes QEMU, which takes up to a minute; the result
# is cached. Do this here, so that the first domain need not wait.
virsh -q domcapabilities --virttype qemu >/dev/null

touch "$state/ready"
exec sleep infinity
