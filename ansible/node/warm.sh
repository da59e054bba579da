#!/bin/sh
# Makes the machine on which it runs, as root, the warm base of later nodes: waits for the first boot, installs the
# packages that nodes need, and seals the machine. Recipe 1.
#
#   warm.sh FOLDER LOGIN FILE…   the scripts are in FOLDER, which is not on a disk; LOGIN is the login of this session,
#                                and the FILEs are those that cloud-init has written: both are removed
#
# It prints its results, one on each line:
#
#   system: NAME                 the distribution
#   changed: WHAT                the script has changed this
#   warning: TEXT                a message for people
#   package: NAME VERSION        a package that nodes look for
#   without: NAME                an optional package that could not be installed: nodes try it again
#   sealed: yes                  the machine switches itself off when this session has ended
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

folder=$1 login=$2
shift 2

have() { command -v "$1" >/dev/null 2>&1; }
warn() { echo "warning: $*"; }
fail() { echo "error: $*" >&2; exit 1; }

# The base serves every database version, so it has what any of them wants.
NODE=base FIRST=yes MDNS=yes PODMAN=yes REHEARSAL=yes INSTALLED=no SERIES='' LOGIN=$login RELEASE=/nonexistent
: "$NODE$FIRST$MDNS$PODMAN$REHEARSAL$INSTALLED$SERIES$LOGIN$RELEASE"
manager='' missing='' wanted=''
# shellcheck source=ansible/node/system.sh
. "$folder/system.sh"
# shellcheck source=ansible/node/programs.sh
. "$folder/programs.sh"

wait_for_cloud_init() {
  [ -d /run/cloud-init ] || return 0
  tries=0
  until [ -e /run/cloud-init/result.json ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 1500 ] || fail "cloud-init has not ended after 5 minutes"
    sleep 0.2
  done
}

# packages WHICH MANAGER PACKAGE…: installs them as on a node. What the package manager says goes to standard error.
packages() {
  code=0
  EXASOL_PROXY_FILE=$folder/proxy sh "$folder/packages.sh" "$@" >"$folder/said" 2>&1 || code=$?
  grep '^warning: ' "$folder/said" || true
  cat "$folder/said" >&2
  return $code
}

install_packages() {
  find_missing
  # shellcheck disable=SC2086 # each is a word
  if [ -n "$missing" ]; then
    packages needed $manager $missing
    echo "changed: packages" $missing
  fi
  # shellcheck disable=SC2086
  if [ -n "$wanted" ]; then packages welcome $manager $wanted || true; fi
  tried=$wanted
  find_missing
  [ -z "$missing" ] || fail "required packages are still missing: $missing"
  for name in $tried; do
    if echo "$wanted" | grep -qxF "$name"; then echo "without: $name"; else echo "changed: packages $name"; fi
  done
}

# tell_packages: prints the version of each package whose program a node looks for.
tell_packages() {
  if [ "$manager" = apt ]; then
    names='parted lvm2 iproute2 rsync uuid-runtime curl nftables openssl openssh-client avahi-daemon podman'
  else
    names='parted lvm2 iproute rsync util-linux curl nftables openssl openssh-clients avahi podman'
  fi
  for name in $names; do
    if [ "$manager" = apt ]; then
      version=$(dpkg-query -W -f='${Version}' "$name" 2>/dev/null) || version=''
    else
      version=$(rpm -q --qf '%{VERSION}-%{RELEASE}' "$name" 2>/dev/null) || version=''
    fi
    [ -z "$version" ] || echo "package: $name $version"
  done
}

wait_for_cloud_init
read_os
echo "system: ${system_name:-unknown}"
install_packages
tell_packages
sh "$folder/seal.sh" "$login" "$@"
echo "sealed: yes"
# The rest cannot be done within a session of the login that it removes.
systemd-run --quiet --no-block --collect --unit=exasol-seal sh "$folder/seal.sh" --off "$login" "$$"
