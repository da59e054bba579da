#!/bin/sh
# Configures one node as its files describe, as root. A second run changes nothing.
#
# The deployer appends the node's files to this script (a tar in base64, after the marker at the end).
# The script prints its results, one on each line:
#
#   changed: WHAT            the script has changed this
#   warning: TEXT            a message for people
#   missing: apt PACKAGE…    missing required packages, with the name of the package manager, apt or dnf
#   wanted: apt PACKAGE…     missing optional packages
#   copy: c4 | archive       on the first node: the file is missing or has another checksum
#   changed: firewall, on trial
#                            new rules are active, and the node restores the old ones unless a new session keeps them
#   installed                on the first node: an earlier run has installed this same configuration
#
# prepare-node.sh --packages-tried   after the installation of packages: a missing program is an error
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

top=/
ours=/etc/exasol-deployer
state=/var/lib/exasol-deployer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

changed() { echo "changed: $*"; : >"$work/changed"; }
warn() { echo "warning: $*"; }
fail() { echo "error: $NODE: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# put FROM TO: gives the file TO the contents of FROM; owner and mode stay. A power failure leaves the old contents or
# the new ones. After a plain write it may leave the right size and only NUL bytes, because the size reaches the disk
# before the data.
put() {
  to=$2
  [ ! -L "$to" ] || to=$(readlink -f "$to")
  if [ -e "$to" ]; then cp -a "$to" "$to.exasol-new"; else rm -f "$to.exasol-new"; fi
  cat "$1" >"$to.exasol-new"
  sync "$to.exasol-new"
  mv -f "$to.exasol-new" "$to"
  sync "${to%/*}"
}

# readable FILE: prints the file; NUL bytes of an interrupted write become line ends, so that they end a broken line.
readable() { [ ! -e "$1" ] || tr '\000' '\n' <"$1"; }

# When a login works, the user and the SSH keys exist, but the rest of the first boot may still run.
wait_for_cloud_init() {
  [ -d /run/cloud-init ] || return 0
  tries=0
  until [ -e /run/cloud-init/result.json ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 1500 ] || { echo "error: cloud-init has not ended after 5 minutes" >&2; exit 1; }
    sleep 0.2
  done
  # After a success the file has "errors": [].
  tr -d ' \n' </run/cloud-init/result.json | grep -q '"errors":\[\]' ||
    warn "cloud-init reports errors: $(tr -s ' \n' ' ' </run/cloud-init/result.json)"
}

# was_installed: whether the deployer has recorded a successful installation. Then a later change of the
# configuration (a password) is no reason to install again.
was_installed() { tar -xOf "$work/files.tar" etc/exasol-deployer/node.conf | grep -qx INSTALLED=yes; }

# lay_down: writes the files of the tar that differ from those of the node. The configuration with passwords is
# not written again after the installation.
lay_down() {
  sed '1,/^#--- files of this node, tar in base64 ---$/d' "$0" | base64 -d >"$work/files.tar"
  config=home/exasol/exasol-release/config
  done_with=$top${config%/*}/play.done
  if [ -e "$done_with" ] && { was_installed || tar -xOf "$work/files.tar" $config 2>/dev/null | sha256sum | cmp -s - "$done_with"; }; then
    tar --delete -f "$work/files.tar" $config
    echo installed
  fi
  # An interrupted run leaves them.
  tar -tf "$work/files.tar" | sed "s|^|$top|; h; s|\$|.exasol-new|p; g; s|[^/]*\$|.exasol-new|" | sort -u | xargs rm -rf
  # Ignore files that differ only in their time: cloud-init wrote some of them at the first boot.
  tar -df "$work/files.tar" -C $top 2>&1 | sed '/: Mod time differs$/d' >"$work/differences"
  [ -s "$work/differences" ] || return 0
  sed -n 's/^\(tar: \)\{0,1\}\([^:]*\): .*/\2/p' "$work/differences" | sort -u >"$work/laid-down"
  # First the directories and links, which have no contents. Then the files are written into a folder beside the old ones,
  # to the disk, and all are renamed: a power failure leaves no file empty or half, and with it no firewall without rules.
  # One program for each folder, because the start of a program takes longer than its work on an emulated machine.
  : >"$work/others"
  : >"$work/replaced"
  tar -tvf "$work/files.tar" | awk -v work="$work" '
    BEGIN { while ((getline name < (work "/laid-down")) > 0) differs[name] }
    /^[dl]/ { print $6 > (work "/others") }
    /^-/ && ($6 in differs) { print $6 > (work "/replaced") }
  '
  tar -xpf "$work/files.tar" -C $top --no-recursion -T "$work/others"
  [ ! -s "$work/replaced" ] ||
    tar -xpf "$work/files.tar" -C $top --transform 's|[^/]*$|.exasol-new/&|' -T "$work/replaced"
  sync
  awk '
    { folder = name = $0; sub("/[^/]*$", "", folder); sub(".*/", "", name) }
    { names[folder] = names[folder] " " folder "/.exasol-new/" name }
    END { for (folder in names) print folder names[folder] }
  ' "$work/replaced" | (
    cd $top
    # shellcheck disable=SC2086 # each is a word
    while read -r folder names; do mv -f $names "$folder" && rmdir "$folder/.exasol-new"; done
  )
  ! have restorecon || sed "s|^|$top|" "$work/laid-down" | restorecon -f - 2>/dev/null || true
  sync
  changed "files $(tr '\n' ' ' <"$work/laid-down")"
}

laid_down() { [ -e "$work/laid-down" ] && grep -q "$1" "$work/laid-down"; }

# check_marker: a machine of a rehearsal must not become one of a database, and vice versa.
check_marker() {
  if [ "$REHEARSAL" = yes ]; then
    if [ ! -e /etc/exasol-rehearsal ] && [ -e /etc/systemd/system/c4.service ]; then
      fail "a real c4 is installed on this machine: a rehearsal needs a new machine"
    fi
  elif [ -e /etc/exasol-rehearsal ]; then
    fail "this machine was used for a rehearsal (it has /etc/exasol-rehearsal): a database needs a new machine"
  fi
}

# keep_identity: later boots find in the guest itself what the disk of the first boot said of it, without its secrets.
# cloud-init would take a guest without them for another one, and make host keys of its own. src/ops/seed.rs does the same.
keep_identity() {
  seed=/var/lib/cloud/seed/nocloud
  # Where somebody has removed cloud-init, nothing takes this guest for another one.
  [ "$SEEDED" = yes ] && [ -e /var/lib/cloud/data/instance-id ] || return 0
  kept=
  [ ! -e $seed/meta-data ] || read -r kept <$seed/meta-data || true
  case $kept in *instance-id*) return 0 ;; esac
  read -r id </var/lib/cloud/data/instance-id
  mkdir -p $seed
  printf '#cloud-config\n{}\n' >$seed/user-data
  printf '{"instance-id": "%s", "local-hostname": "%s"}\n' "$id" "$NODE" >$seed/meta-data.new
  # The deployer removes the disk: a power failure must not empty these files.
  sync $seed/user-data $seed/meta-data.new
  mv $seed/meta-data.new $seed/meta-data
  sync $seed
  changed "identity for cloud-init"
}

set_hostname() {
  [ "$(cat /proc/sys/kernel/hostname)" != "$NODE" ] || return 0
  hostnamectl set-hostname "$NODE"
  changed "hostname $NODE"
}

set_password() {
  hash=$(getent shadow "$LOGIN" | cut -d: -f2)
  [ "$LOGIN:$hash" != "$(cat $ours/password)" ] || return 0
  chpasswd -e <$ours/password
  changed "password of $LOGIN"
}

# write_hosts: replaces our block in /etc/hosts. Our names are removed from all other lines, because a line with
# 127.0.1.1 would have priority; everything else stays.
write_hosts() {
  readable /etc/hosts >"$work/hosts-now"
  awk -v block="$ours/hosts" '
    BEGIN { while ((getline line < block) > 0) { count = split(line, word, " "); for (i = 2; i <= count; i++) our[word[i]] } }
    /^# exasol: begin/ { inside = 1 }
    !inside {
      kept = $1; names = 0; dropped = 0
      for (i = 2; i <= NF && $1 !~ /^#/; i++) if ($i in our) dropped = 1; else { kept = kept " " $i; names++ }
      if (!dropped) print; else if (names) print kept
    }
    /^# exasol: end/ { inside = 0 }
  ' "$work/hosts-now" >"$work/hosts"
  { echo "# exasol: begin"; cat "$ours/hosts"; echo "# exasol: end"; } >>"$work/hosts"
  cmp -s "$work/hosts" /etc/hosts && return 0
  put "$work/hosts" /etc/hosts
  changed /etc/hosts
}

# add_lines FROM TO: appends the missing lines to a file of the login user. Other lines stay.
add_lines() {
  [ -e "$2" ] || install -m 0600 -o "$LOGIN" -g "$LOGIN" /dev/null "$2"
  readable "$2" >"$work/lines"
  [ -z "$(tail -c 1 "$work/lines")" ] || echo >>"$work/lines"
  # An interrupted write leaves empty lines here; they mean nothing in these files.
  cmp -s "$work/lines" "$2" || { grep . "$work/lines" || true; } >"$work/whole"
  [ ! -e "$work/whole" ] || mv "$work/whole" "$work/lines"
  awk 'FILENAME == ARGV[1] { have[$0]; next } !($0 in have)' "$work/lines" "$1" >"$work/missing"
  cat "$work/missing" >>"$work/lines"
  cmp -s "$work/lines" "$2" && return 0
  put "$work/lines" "$2"
  changed "$2"
}

disk_links_are_right() {
  for disk in $DISKS; do
    split "$disk"
    is_right "$link" "$identity" || return 1
  done
}

# check_disks: checks the identity and the size of each data disk. A disk that is new to this node must be empty, because
# existing data is never deleted.
check_disks() {
  if laid_down 99-zz-exasol-data.rules || ! disk_links_are_right; then
    udevadm control --reload
    udevadm trigger --subsystem-match=block --action=change
    udevadm settle --timeout=60
  fi
  [ -d "$state" ] || mkdir "$state"
  readable "$state/raw-disks" >"$work/raw-disks"
  seen=$(cat "$work/raw-disks")
  for disk in $DISKS; do
    split "$disk"
    found=$(identified "$identity") ||
      fail "$link is missing: no disk has the name /dev/$identity; the disks are: $(lsblk -dno NAME,SIZE,WWN,SERIAL | tr -s ' \n' ' ')"
    is_right "$link" "$identity" || fail "$link is $(readlink -f "$link"), but it should be $found (/dev/$identity)"
    name=${found##*/}
    bytes=$(size_of "$found")
    if [ "$bytes" -lt "$least" ] || [ "$bytes" -gt "$most" ]; then fail "$link has $bytes bytes, not $least to $most"; fi
    case $seen in *"$identity"*) continue ;; esac
    found=$(contents "/dev/$name")
    [ -z "$found" ] || fail "$link is not empty ($found), and exasol does not delete existing data"
    ! lsblk -nro MOUNTPOINT "/dev/$name" | grep -q . || fail "$link is mounted"
    echo "$identity" >>"$work/raw-disks"
    # Before Exasol writes on it: a disk that is not in this list has to be empty.
    put "$work/raw-disks" "$state/raw-disks"
  done
}

check_programs() {
  find_missing
  if [ "$1" = --packages-tried ]; then
    [ -z "$missing" ] || fail "required packages are still missing: $missing"
    for name in $wanted; do tell_without "$name"; done
    return 0
  fi
  # shellcheck disable=SC2086 # one line
  [ -z "$missing" ] || echo missing: $manager $missing
  # shellcheck disable=SC2086
  [ -z "$wanted" ] || echo wanted: $manager $wanted
}

tell_without() {
  case $1 in
    podman) warn "Podman could not be installed on $NODE: Exasol's Lakehouse Turbo (2026.1 and newer) needs it" ;;
    *) warn "$NODE has no mDNS name, because $1 could not be installed" ;;
  esac
}

# systemd loads new units without a reload. A reload runs every generator, which takes seconds on an emulated machine,
# so it is done only if a unit has changed. systemd detects changes by the file's time, which is constant in our tar,
# so the script compares contents and sizes.
reload_units() {
  if grep -q '^etc/systemd/system/.*: \(Contents differ\|Size differs\)$' "$work/differences" ||
    systemctl show -p NeedDaemonReload exasol-firewall.service nftables.service 2>/dev/null | grep -qx NeedDaemonReload=yes; then
    systemctl daemon-reload
  fi
}

# try_firewall: the last action, because a new session must prove soon that the rules allow it. The unit, which is
# enabled by a link among the files, loads the kept rules at boot.
try_firewall() {
  have nft || return 0
  /usr/local/lib/exasol-deployer/firewall.sh is-kept || /usr/local/lib/exasol-deployer/firewall.sh try
}

# OpenSSH 9.8 and newer block an address for some time after failed logins, and logins fail while a node boots. So the
# deployer and the nodes are exempt. A list that somebody else has configured is not changed.
exempt_from_penalties() {
  conf=/etc/ssh/sshd_config.d/10-exasol.conf
  [ -d "${conf%/*}" ] || return 0
  echo "PerSourcePenaltyExemptList $(cat $ours/ssh-exempt)" >"$work/penalties"
  ! cmp -s "$work/penalties" $conf || return 0
  if [ ! -e $conf ]; then sshd -T 2>/dev/null | grep -qix 'persourcepenaltyexemptlist none' || return 0; fi
  put "$work/penalties" $conf
  if ! sshd -t 2>/dev/null; then rm -f $conf; return 0; fi
  reload_sshd 2>/dev/null || systemctl reload ssh.service 2>/dev/null || systemctl reload sshd.service 2>/dev/null || true
  changed $conf
}

# reload_sshd: does what the unit's reload does after the same test; systemctl takes seconds on an emulated machine.
reload_sshd() {
  read -r pid </run/sshd.pid && read -r name <"/proc/$pid/comm" && [ "$name" = sshd ] && kill -HUP "$pid"
}

# start_overlay: starts the overlay network of the nodes, if the deployment has one. This must happen before anything
# connects to the other nodes.
start_overlay() {
  unit=exasol-overlay.service
  [ -e $ours/overlay.conf ] || return 0
  if ip link show exasol0 >/dev/null 2>&1 && ! laid_down overlay && ! laid_down $unit; then return 0; fi
  systemctl daemon-reload
  systemctl restart $unit || fail "overlay network: $(systemctl status --no-pager -n 5 $unit | tail -n 5)"
  changed "overlay network"
}

# name_on_network: sets the node's mDNS name, DEPLOYMENT-NODE.local. It does not wait, because a network without
# multicast is not a failure; check-services.sh reports at the end.
name_on_network() {
  conf=/etc/avahi/avahi-daemon.conf
  have avahi-daemon && [ -e $conf ] || return 0
  readable $conf >"$work/avahi-now"
  grep -qx '\[server\]' "$work/avahi-now" || echo '[server]' >>"$work/avahi-now"
  sed -e '/^host-name=/d' -e "s/^\[server\]/&\nhost-name=$DEPLOYMENT-$NODE/" "$work/avahi-now" >"$work/avahi"
  ! cmp -s "$work/avahi" $conf || return 0
  put "$work/avahi" $conf
  systemctl --no-block restart avahi-daemon
  changed "mDNS name $DEPLOYMENT-$NODE.local"
}

# is_file SHA256 PATH: whether the file exists and has this checksum.
is_file() { echo "$1  $2" | sha256sum -c --status 2>/dev/null; }

# remove_parts: removes what came only in part. The deployer sends the release while other nodes boot.
remove_parts() {
  for part in "$RELEASE"/.*.part; do [ ! -e "$part" ] || rm -f "$part"; done
}

check_artifacts() {
  [ "$FIRST" = yes ] || return 0
  is_file "$C4_SHA256" "$RELEASE/c4" || echo "copy: c4"
  is_file "$ARCHIVE_SHA256" "$RELEASE/$ARCHIVE" || echo "copy: archive"
}

main() {
  wait_for_cloud_init
  lay_down
  reload_units
  # shellcheck source=/dev/null
  . $ours/node.conf
  # shellcheck source=ansible/node/disks.sh
  . /usr/local/lib/exasol-deployer/disks.sh
  # shellcheck source=ansible/node/system.sh
  . /usr/local/lib/exasol-deployer/system.sh
  # shellcheck source=ansible/node/programs.sh
  . /usr/local/lib/exasol-deployer/programs.sh
  check_marker
  if [ "$1" != --packages-tried ]; then
    check_system
    remove_parts
    check_room
  fi
  keep_identity
  set_hostname
  set_password
  write_hosts
  add_lines $ours/authorized_keys "/home/$LOGIN/.ssh/authorized_keys"
  add_lines $ours/known_hosts "/home/$LOGIN/.ssh/known_hosts"
  check_disks
  check_programs "$@"
  exempt_from_penalties
  no_reboots
  start_overlay
  name_on_network
  check_artifacts
  # What other programs have written: the name of the host, the password.
  [ ! -e "$work/changed" ] || sync
  # The installation of packages may take longer than the node waits for a new session, so new rules come after it.
  if [ -z "$missing$wanted" ] || [ "$1" = --packages-tried ]; then try_firewall; fi
}

NODE=$(cat /proc/sys/kernel/hostname)
main "${1-}"
exit
