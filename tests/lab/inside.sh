#!/usr/bin/env bash
# Runs as the first process of a lab, already in new mount and network
# namespaces: makes them a place of its own, starts libvirt there, then sleeps
# and so keeps the namespaces alive. Started by scripts/lab only.
#
# Usage: inside.sh STATE CAPS KVM    (folder of the lab, folder of QEMU's
#        capability cache, "visible" or "masked")
set -euo pipefail
state=$1 caps=$2 kvm=$3

# Order matters: a private /run first, marked, so that whatever runs from here on
# can be found again (see processes.sh).
mount -t tmpfs -o mode=755 lab-run /run
cp "$state/id" /run/exasol-lab-id
mkdir -p /run/lock /run/sshd

# /sys shows the network of whoever mounted it: libvirt and others look for
# bridges there. It hides the control groups too, which the lab does not use:
# two labs would meet in them.
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

# A /dev/kvm that the daemon can open but the QEMU user can't makes libvirtd
# probe QEMU anew at every call. Mode 000 on an empty file: nobody has KVM.
if [ "$kvm" = masked ] && [ -e /dev/kvm ]; then
  install -m 000 /dev/null /run/no-kvm
  mount --bind /run/no-kvm /dev/kvm
fi

# Programs that a user need not have: what runs here does without them too.
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
# Owners and modes (the driver "dac") are libvirt's usual ones. AppArmor and SELinux
# have no place of the lab's own: libvirtd would write profiles into the host's /etc
# and load them into its kernel. scripts/workstation is for those.
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
# The first question about capabilities probes QEMU, for up to a minute; the
# answer is kept. Better here than in somebody's first domain.
virsh -q domcapabilities --virttype qemu >/dev/null

touch "$state/ready"
exec sleep infinity
