# shellcheck shell=sh disable=SC2154
# Sourced by prepare-node.sh, after node.conf: checks Exasol's requirements before a database is installed on a node. A
# rehearsal has no requirements, and a node with an installation is not checked again.

os_release=/etc/os-release
c4_unit=/etc/systemd/system/c4.service
dnf_automatic=/etc/dnf/automatic.conf
home=/home/${LOGIN:-exasol}
# Source: Exasol's documentation, "Install Exasol 8".
needed_gib=20

# The systems in Exasol's system requirements.
listed='Ubuntu 20.04, 22.04 and 24.04, Red Hat Enterprise Linux 8 and 9, and 10 from Exasol 2025.2 on'

# is_new: whether this node of a database has no trace of an installation, not even of an interrupted one.
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

# read_os: sets `system` (ubuntu, debian, …), `number` (24.04), `major` (24), `system_name` and `rhel_like` (yes, no).
read_os() {
  system=$(os_fact ID) number=$(os_fact VERSION_ID) system_name=$(os_fact PRETTY_NAME)
  major=${number%%.*}
  case " $system $(os_fact ID_LIKE) " in
    *' rhel '* | *' centos '* | *' fedora '*) rhel_like=yes ;;
    *) rhel_like=no ;;
  esac
}

# check_rhel_like: checks Exasol's requirements for relatives of Red Hat. The error lists all problems and has one command
# that fixes them. It is one line, of which users see 500 characters.
check_rhel_like() {
  wrong='' mend=''
  add() { wrong="${wrong:+$wrong, }$1" mend="${mend:+$mend && }$2"; }
  if have getenforce && [ "$(getenforce)" = Enforcing ]; then
    add "SELinux is enforcing" "sudo setenforce 0 && sudo sed -i 's/^SELINUX=.*/SELINUX=permissive/' /etc/selinux/config"
  fi
  ! systemctl -q is-active firewalld 2>/dev/null || add "firewalld is active" "sudo systemctl disable --now firewalld"
  case $major in
    8 | 9)
      # Its default rules allow only SSH, so the command empties them; the nodes have the deployer's firewall.
      systemctl -q is-active iptables 2>/dev/null ||
        add "iptables-services do not run" "sudo dnf -y install iptables-services && \
sudo truncate -s 0 /etc/sysconfig/iptables && sudo systemctl enable --now iptables"
      ;;
  esac
  [ -z "$wrong" ] || fail "Exasol does not run on $system_name with these settings ($wrong); run on every node: $mend"
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
  # All nodes boot the same image, so only the first one warns.
  [ "$FIRST" = no ] || warn "Exasol does not list ${system_name:-this system} as a supported system, but it may work (listed: $listed)"
}

gib() { echo "$(($1 / 1048576)).$(($1 % 1048576 * 10 / 1048576)) GiB"; }

# check_room: checks the free space. Files that an earlier run has copied count as free space.
check_room() {
  is_new || return 0
  # shellcheck disable=SC2046 # its words: device, KiB, used, free, share, mount
  set -- $(df -Pk "$home" | sed 1d)
  copied=$(du -sk "$RELEASE" 2>/dev/null || echo 0)
  copied=${copied%%[!0-9]*}
  [ $(($4 + copied)) -lt $((needed_gib * 1048576)) ] || return 0
  disk=$(lsblk -ndo PKNAME "$1" 2>/dev/null | sed 1q)
  bytes=$(lsblk -bndo SIZE "/dev/${disk:-nothing}" 2>/dev/null || echo 0)
  mend="create the deployment again with a larger root disk (exasol destroy, then exasol init with --root-volume-size, or \
with a larger --instance-type if that decides the size), or free some space: sudo du -xh -d 3 / | sort -h | tail"
  # Allow one gigabyte for other partitions.
  grown=yes
  case $1 in "/dev/$disk"*[0-9]) [ $((${bytes:-0} / 1024)) -le $(($2 + 1048576)) ] || grown=no ;; esac
  if [ $grown = no ]; then
    mend="the file system has not grown to its disk, /dev/$disk of $(gib $((bytes / 1024))): sudo growpart /dev/$disk \
${1##*[!0-9]} && sudo resize2fs $1 (XFS: sudo xfs_growfs $6), then exasol deploy"
  fi
  fail "$home has $(gib "$4") of free space ($1 of $(gib "$2"), mounted at $6), but an installation needs $needed_gib GiB; $mend"
}

# has_quadlet: whether this system has Podman 4.4 or newer, which supports Quadlet.
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

# no_reboots: automatic updates must not restart a node. On Debian and Ubuntu the file 60exasol sets this; on Red Hat
# the setting in dnf's only configuration file is changed.
no_reboots() {
  [ -e $dnf_automatic ] && grep -q '^ *reboot *= *when' $dnf_automatic || return 0
  sed 's/^ *reboot *= *when.*/reboot = never/' $dnf_automatic >"$work/dnf-automatic"
  put "$work/dnf-automatic" $dnf_automatic
  changed $dnf_automatic
}
