# shellcheck shell=sh disable=SC2154
# Sourced by prepare-node.sh, with node.conf: what Exasol demands of a node before a database is installed on it. A
# rehearsal has no demands, and a node that carries an installation is left as it is.

os_release=/etc/os-release
c4_unit=/etc/systemd/system/c4.service
dnf_automatic=/etc/dnf/automatic.conf
home=/home/${LOGIN:-exasol}
# In its documentation, "Install Exasol 8".
needed_gib=20

# What Exasol's system requirements list.
listed='Ubuntu 20.04, 22.04 and 24.04, Red Hat Enterprise Linux 8 and 9, and 10 from Exasol 2025.2 on'

# Nothing of an installation is here, neither a whole one nor one that was cut off.
is_new() {
  [ "$REHEARSAL" = no ] && [ "$INSTALLED" = no ] || return 1
  for trace in $c4_unit "$home/.ccc" "$RELEASE/play.begun" "$RELEASE/play.done"; do
    [ ! -e "$trace" ] || return 1
  done
}

os_fact() { (
  # shellcheck source=/dev/null
  . $os_release 2>/dev/null || true
  eval "echo \"\${$1-}\""
); }

# read_os: `system` (ubuntu, debian, …), `number` (24.04), `major` (24), `system_name` and `rhel_like` (yes, no).
read_os() {
  system=$(os_fact ID) number=$(os_fact VERSION_ID) system_name=$(os_fact PRETTY_NAME)
  major=${number%%.*}
  case " $system $(os_fact ID_LIKE) " in
    *' rhel '* | *' centos '* | *' fedora '*) rhel_like=yes ;;
    *) rhel_like=no ;;
  esac
}

# As Exasol's requirements demand it on systems of this kind: what is wrong, and one command that mends it all. The
# error is one line, of which people see 500 characters.
check_rhel_like() {
  wrong='' mend=''
  add() { wrong="${wrong:+$wrong, }$1" mend="${mend:+$mend && }$2"; }
  if have getenforce && [ "$(getenforce)" = Enforcing ]; then
    add "SELinux is enforcing" "sudo setenforce 0 && sudo sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config"
  fi
  ! systemctl -q is-active firewalld 2>/dev/null || add "firewalld is active" "sudo systemctl disable --now firewalld"
  case $major in
    8 | 9)
      # The rules that come with it let in nothing but SSH; the nodes have a firewall of the deployer's.
      systemctl -q is-active iptables 2>/dev/null ||
        add "iptables-services do not run" "sudo dnf -y install iptables-services && \
sudo truncate -s 0 /etc/sysconfig/iptables && sudo systemctl enable --now iptables"
      ;;
  esac
  [ -z "$wrong" ] || fail "Exasol does not run on $system_name as it is set up ($wrong); on every node: $mend"
  [ "$major" != 10 ] || [ "$SERIES" != 2025.1 ] || fail "Exasol $SERIES does not run on $system_name: Exasol lists \
$listed; boot one of these, or choose a newer --db-version"
}

check_system() {
  is_new || return 0
  read_os
  [ "$rhel_like" = no ] || check_rhel_like
  case $system-$number in
    ubuntu-20.04 | ubuntu-22.04 | ubuntu-24.04) return 0 ;;
    rhel-8* | rhel-9* | rhel-10*) return 0 ;;
  esac
  # All nodes boot the same image.
  [ "$FIRST" = no ] || warn "$system_name is not among the systems that Exasol lists ($listed): it may work"
}

gib() { echo "$(($1 / 1048576)).$(($1 % 1048576 * 10 / 1048576)) GiB"; }

# What was copied by an earlier run counts as free.
check_room() {
  is_new || return 0
  # shellcheck disable=SC2046 # its words: device, KiB, used, free, share, mount
  set -- $(df -Pk "$home" | sed 1d)
  copied=$(du -sk "$RELEASE" 2>/dev/null || echo 0)
  copied=${copied%%[!0-9]*}
  [ $(($4 + copied)) -lt $((needed_gib * 1048576)) ] || return 0
  disk=$(lsblk -ndo PKNAME "$1" 2>/dev/null | sed 1q)
  bytes=$(lsblk -bndo SIZE "/dev/${disk:-nothing}" 2>/dev/null || echo 0)
  mend="make the deployment anew with a larger root disk (exasol destroy, then exasol init with --root-volume-size, or \
with a larger --instance-type where that decides), or free some room: sudo du -xh -d 3 / | sort -h | tail"
  # A gigabyte is for partitions of their own.
  grown=yes
  case $1 in "/dev/$disk"*[0-9]) [ $((${bytes:-0} / 1024)) -le $(($2 + 1048576)) ] || grown=no ;; esac
  if [ $grown = no ]; then
    mend="the file system has not grown to its disk, /dev/$disk of $(gib $((bytes / 1024))): sudo growpart /dev/$disk \
${1##*[!0-9]} && sudo resize2fs $1 (XFS: sudo xfs_growfs $6), then exasol deploy"
  fi
  fail "$(gib "$4") are free in $home ($1 of $(gib "$2"), mounted at $6), and an installation needs $needed_gib GiB; $mend"
}

# Whether this system has Podman 4.4 or newer, which knows Quadlet.
has_quadlet() {
  read_os
  case $major in '' | *[!0-9]*) return 1 ;; esac
  case $system in
    ubuntu) [ "$major" -ge 24 ] ;;
    debian) [ "$major" -ge 13 ] ;;
    fedora) [ "$major" -ge 38 ] ;;
    *) [ "$rhel_like" = yes ] && [ "$major" -ge 9 ] && [ "$major" -lt 1000 ] ;;
  esac
}

# Automatic updates never restart a node by themselves. Debian's and Ubuntu's read a file that is laid down
# (60exasol); Red Hat's reads one file only.
no_reboots() {
  grep -qs '^ *reboot *= *when' $dnf_automatic || return 0
  sed -i 's/^ *reboot *= *when.*/reboot = never/' $dnf_automatic
  changed $dnf_automatic
}
