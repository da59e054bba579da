# The guest's own files, step by step; sourced by build. Each function gets the
# root folder. What counts here is the time from power-on to "cloud-init done"
# in an emulated machine, where a Python start costs seconds.
# shellcheck shell=bash

# What the initramfs must load: a root disk on virtio-blk or virtio-scsi, and the
# clock, without which certificates are not yet valid.
INITRAMFS_MODULES=(virtio_pci virtio_blk virtio_scsi sd_mod rtc_cmos)

# Units that do nothing useful in a guest that lives for minutes.
MASKED_UNITS=(
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer man-db.timer
  e2scrub_all.timer e2scrub_reap.service fstrim.timer logrotate.timer
  lvm2-monitor.service lvm2-lvmpolld.socket blk-availability.service
  systemd-remount-fs.service systemd-pstore.service systemd-update-utmp.service
  systemd-update-utmp-runlevel.service systemd-ask-password-console.path
  systemd-ask-password-wall.path getty@tty1.service tmp.mount run-lock.mount
  modprobe@drm.service modprobe@configfs.service modprobe@fuse.service
  modprobe@dm_mod.service modprobe@loop.service modprobe@efi_pstore.service
  sys-fs-fuse-connections.mount sys-kernel-config.mount dev-hugepages.mount
  dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount
  systemd-journal-catalog-update.service systemd-hwdb-update.service
  systemd-update-done.service systemd-sysusers.service ldconfig.service
  systemd-network-generator.service systemd-networkd-persistent-storage.service
  systemd-udev-load-credentials.service systemd-random-seed.service
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount
  kmod-static-nodes.service systemd-tmpfiles-setup-dev-early.service
  systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer cloud-init-hotplugd.socket rsync.service
  uuidd.socket
)

# The only generators that have something to generate.
KEPT_GENERATORS='cloud-init-generator|systemd-fstab-generator|systemd-getty-generator'

# Drivers and udev rules for hardware that an emulated machine does not have:
# they are loaded or evaluated for every device at boot. (60-input-id is needed: by
# it systemd-logind knows the power button, and so `virsh shutdown` works.)
USELESS_MODULES=(
  arch/x86/kvm arch/x86/crypto sound drivers/gpu drivers/media drivers/staging
  drivers/iio drivers/infiniband drivers/hid drivers/cpufreq drivers/i2c
  drivers/misc/vmw_vmci net/vmw_vsock drivers/net/ethernet drivers/net/wireless
  drivers/thermal drivers/edac drivers/char/ipmi drivers/hv drivers/usb
  drivers/input/mouse drivers/input/misc drivers/input/joystick drivers/platform
  drivers/watchdog drivers/parport drivers/powercap drivers/bluetooth
)
USELESS_RULES='sensor|v4l|alsa|sound|mouse|touchpad|joystick|camera|fido|infiniband|autosuspend|mtd|tape|drm|net-driver|ieee1394|vpu|dmi|usb|libinput'

configure_guest() {
  local root=$1 unit
  echo "LABEL=rootfs / ext4 noatime 0 0" >"$root/etc/fstab"
  echo "localhost" >"$root/etc/hostname"
  printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' >"$root/etc/hosts"
  echo "LANG=C.UTF-8" >"$root/etc/default/locale"
  rm -f "$root"/etc/ssh/ssh_host_*
  : >"$root/etc/machine-id"
  # mmdebstrap leaves the build machine's name servers here.
  echo "# no name server: the guest has no internet" >"$root/etc/resolv.conf"

  for unit in "${MASKED_UNITS[@]}"; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  mkdir -p "$root/etc/systemd/system-generators"
  find "$root/usr/lib/systemd/system-generators" -type f -printf '%f\n' |
    grep -vxE "$KEPT_GENERATORS" | while read -r unit; do
    ln -s /dev/null "$root/etc/systemd/system-generators/$unit"
  done
  find "$root/usr/lib/udev/rules.d" -type f | grep -E "$USELESS_RULES" | xargs rm -fv
  rm -rf "$root"/usr/lib/udev/hwdb.bin "$root"/usr/lib/udev/hwdb.d

  # The clock is the host's; timesyncd is there for whoever enables it.
  chroot "$root" systemctl disable systemd-timesyncd.service
  chroot "$root" systemctl enable systemd-networkd.service ssh.service \
    qemu-guest-agent.service avahi-daemon.service
  cp "$(dirname "${BASH_SOURCE[0]}")/cloud.cfg" "$root/etc/cloud/cloud.cfg"
  # Schema checks of the configuration cost seconds and only ever warn.
  rm -rf "$root"/usr/lib/python3/dist-packages/jsonschema*
  # Without this a shell script looks for data sources for seconds at boot.
  echo "policy: enabled" >"$root/etc/cloud/ds-identify.cfg"
}

# Settings that shorten the way to a login.
hasten_guest() {
  local root=$1 unit
  # At boot udev looks at every device; only these kinds need it. The power button,
  # which the kernel finds by a kind left out, gets its drivers by name.
  mkdir -p "$root/etc/systemd/system/systemd-udev-trigger.service.d"
  {
    printf '[Service]\nExecStart=\nExecStart=-udevadm trigger --type=devices --action=add'
    printf ' --subsystem-match=%s' pci virtio virtio-ports scsi block net input misc
    printf '\nExecStart=-udevadm trigger --type=devices --action=add --sysname-match=ttyS0\n'
  } >"$root/etc/systemd/system/systemd-udev-trigger.service.d/lab.conf"
  printf 'button\nevdev\n' >"$root/etc/modules-load.d/lab.conf"
  # A host name from the network would start another daemon to set it.
  mkdir -p "$root/etc/systemd/network/10-cloud-init-eth0.network.d"
  printf '[DHCPv4]\nUseHostname=no\n[Network]\nIPv6AcceptRA=no\n' \
    >"$root/etc/systemd/network/10-cloud-init-eth0.network.d/lab.conf"
  # SSH first: who waits for the guest waits for that.
  for unit in avahi-daemon systemd-logind qemu-guest-agent; do
    mkdir -p "$root/etc/systemd/system/$unit.service.d"
    printf '[Unit]\nAfter=ssh.service\n' >"$root/etc/systemd/system/$unit.service.d/lab.conf"
  done
  mkdir -p "$root/etc/systemd/system/ssh.service.d"
  printf '[Service]\nExecStartPre=\n' >"$root/etc/systemd/system/ssh.service.d/lab.conf"
  # The post-quantum exchanges, which clients prefer, are slow in emulation.
  echo "KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256" >"$root/etc/ssh/sshd_config.d/lab.conf"
  rm -rf "$root"/etc/update-motd.d/* "$root/etc/motd"
}

# make_initramfs ROOT INIT: busybox, four modules and what they depend on.
make_initramfs() {
  local root=$1 init=$2 version dir module path
  version=$(basename "$root"/lib/modules/*)
  (cd "$root/lib/modules/$version/kernel" && rm -rf "${USELESS_MODULES[@]}")
  chroot "$root" depmod "$version"
  dir=$root/tmp/initramfs
  mkdir -p "$dir"/{bin,dev,proc,sys,root,modules}
  cp "$root/bin/busybox" "$dir/bin/busybox"
  install -m 755 "$init" "$dir/init"
  # --show-depends prints "insmod PATH" in load order, dependencies first.
  for module in "${INITRAMFS_MODULES[@]}"; do
    chroot "$root" modprobe --set-version "$version" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$root$path" "$dir/modules/"
    echo "/modules/${path##*/}" >>"$dir/modules.order"
  done
  # Not compressed: the guest reads faster than it unpacks.
  (cd "$dir" && chroot "$root" sh -c 'cd /tmp/initramfs && find . | busybox cpio -o -H newc') \
    >"$root/boot/initrd.img"
  rm -rf "$dir"
  mv "$root/boot/vmlinuz-$version" "$root/boot/vmlinuz"
}

# make_bootloader ROOT WORK: leaves boot.img and core.img in WORK. GRUB runs in
# the guest's root so that its version fits its modules.
make_bootloader() {
  local root=$1 work=$2
  mkdir -p "$root/boot/grub"
  # Mitigations and five-level page tables cost much under emulation and protect
  # nothing in a test guest. Without "erms" the kernel copies eight bytes at a
  # time; with it QEMU emulates every single byte. The time-stamp counter is in step
  # under emulation, and reading it costs a tenth of reading the HPET. dad: no
  # waiting for an address that nobody else can have.
  cat >"$root/boot/grub/grub.cfg" <<'CFG'
linux /boot/vmlinuz root=LABEL=rootfs rw console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 mitigations=off no5lvl nokaslr nowatchdog audit=0 lsm=capability clearcpuid=erms tsc=reliable TERM=dumb sysctl.net.ipv6.conf.all.accept_dad=0 sysctl.net.ipv6.conf.default.accept_dad=0 systemd.show_status=false
initrd /boot/initrd.img
boot
CFG
  cat >"$root/tmp/early.cfg" <<'CFG'
search --no-floppy --label rootfs --set=root
set prefix=($root)/boot/grub
configfile /boot/grub/grub.cfg
CFG
  chroot "$root" grub-mkimage -O i386-pc -c /tmp/early.cfg -p /boot/grub -o /tmp/core.img \
    biosdisk part_msdos ext2 search search_label configfile linux boot normal
  cp "$root/tmp/core.img" "$root/usr/lib/grub/i386-pc/boot.img" "$work/"
  rm -f "$root/tmp/early.cfg" "$root/tmp/core.img"
}

# Smaller is faster: the image is uploaded to a pool and read through qcow2.
shrink_guest() {
  local root=$1
  chroot "$root" dpkg --purge grub-pc-bin grub-common grub2-common || true
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
    "$root"/usr/share/{doc,man,info,locale,grub}/* "$root"/usr/lib/grub \
    "$root"/tmp/* "$root"/boot/{System.map,config}-*
}
