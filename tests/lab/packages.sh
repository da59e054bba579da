# The required packages, and how to find out whether they are installed. Sourced by
# scripts/setup. Each line has "what to look for" and "Debian package". What to look
# for is a program; user:NAME; file:PATH; python:MODULES; or any:NAME,NAME.
# shellcheck shell=bash disable=SC2034

# To build exasol and use it with this machine's libvirt.
BASE_PACKAGES=(
  "cc build-essential"
  "pkg-config pkg-config"
  "git git"
  "curl curl"
  "ssh openssh-client"
  "virsh libvirt-clients"
  "libvirtd libvirt-daemon"
  "user:libvirt-qemu libvirt-daemon-system"
  "qemu-system-x86_64 qemu-system-x86"
  "qemu-img qemu-utils"
  "dnsmasq dnsmasq-base"
  "iptables iptables"
  "ip iproute2"
  "python:ensurepip,venv python3-venv"
)

# More for the lab and the tests: a guest image, a lint, an SSH server.
LAB_PACKAGES=(
  "mmdebstrap mmdebstrap"
  "file:/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring"
  "sfdisk fdisk"
  "mkfs.ext4 e2fsprogs"
  "nft nftables"
  "rsync rsync"
  "shellcheck shellcheck"
  "file:/usr/sbin/sshd openssh-server"
  "jq jq"
  "rpm rpm"
  # tests/cli/stand_in.rs compares exasol with the real xsltproc; nothing in the lab needs it.
  "xsltproc xsltproc"
)

# A browser for tests/report; nothing in the lab needs it. Ubuntu has it only as a snap, so there you
# install one yourself, or that test is skipped.
if ! grep -qs '^ID=ubuntu' /etc/os-release; then
  LAB_PACKAGES+=("any:chromium,google-chrome chromium")
fi

# present WHAT
present() {
  local python program
  case $1 in
    user:*) getent passwd "${1#user:}" >/dev/null ;;
    file:*) [ -e "${1#file:}" ] ;;
    python:*)
      for python in python3 /usr/bin/python3; do
        "$python" -c "import ${1#python:}" 2>/dev/null && return
      done
      return 1
      ;;
    any:*)
      for program in $(tr , ' ' <<<"${1#any:}"); do
        have "$program" && return
      done
      return 1
      ;;
    *) have "$1" ;;
  esac
}

# missing_packages "WHAT PACKAGE"...: the packages to install, one a line.
missing_packages() {
  local line
  for line in "$@"; do
    present "${line% *}" || echo "${line##* }"
  done
}

# What to install by hand on distributions whose packages this script does not know.
BY_HAND=(
  "Fedora, RHEL:  libvirt-daemon-kvm libvirt-client qemu-kvm qemu-img gcc pkgconf git openssh-clients python3"
  "openSUSE:      libvirt-daemon-qemu libvirt-client qemu-x86 qemu-tools gcc pkgconf git openssh-clients python3"
  "Arch:          libvirt qemu-desktop dnsmasq base-devel git openssh python"
)
