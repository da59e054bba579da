#!/bin/sh
# Installs packages as root, with the system's package manager (apt or dnf):
#
#   packages.sh needed apt PACKAGE…     installs required packages, or ends with an error
#   packages.sh welcome apt PACKAGE…    installs the optional packages that can be downloaded within two minutes
#
# The deployer's proxy is in a file that only root can read, with one variable on each line (https_proxy=…), so its
# password is in no argument. A setting that cannot be used here is a comment in that file, and printed as a warning.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
# apt asks nothing, and needrestart restarts no services.
DEBIAN_FRONTEND=noninteractive
NEEDRESTART_SUSPEND=1
export PATH LC_ALL DEBIAN_FRONTEND NEEDRESTART_SUSPEND

proxy=${EXASOL_PROXY_FILE:-/etc/exasol-deployer/proxy}
# Time limits for downloads in seconds: for required packages, and for all optional packages together. Without them a
# network that drops packets would cost hours.
patience_needed=600 patience_welcome=120

until_in() { end=$(($(date +%s) + $1)); }
# left: prints the remaining seconds, at least 1, because `timeout 0` has no limit.
left() {
  now=$(date +%s)
  if [ "$now" -lt "$end" ]; then echo $((end - now)); else echo 1; fi
}

use_proxy() {
  [ -r "$proxy" ] || return 0
  while IFS= read -r line; do
    # shellcheck disable=SC2163 # the line is NAME=VALUE
    case $line in
      '# '*) echo "warning: ${line#\# }" ;;
      *=*) export "$line" ;;
    esac
  done <"$proxy"
}

apt_get() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 "$@"; }

# update: downloads the package lists. A failure is ignored, because older lists may exist. Updates of the first boot
# hold the lock of the lists for minutes, and apt does not wait for this lock.
update() {
  until said=$(timeout "$(left)" apt-get -q -y -o Acquire::Retries=2 update 2>&1); do
    case $said in *'Could not get lock'*) ;; *) return 0 ;; esac
    [ "$(left)" -gt 5 ] || return 0
    sleep 5
  done
}

needed() {
  manager=$1
  shift
  until_in $patience_needed
  case $manager in
    apt)
      update
      timeout "$(left)" apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends --download-only install "$@"
      apt_get --no-install-recommends --no-download install "$@"
      ;;
    *)
      timeout "$(left)" dnf -q -y --setopt=install_weak_deps=False --downloadonly install "$@"
      dnf -q -y -C --setopt=install_weak_deps=False install "$@"
      ;;
  esac
}

# welcome: downloads have a time limit, but installations do not: a half-installed package is worse than none.
welcome() {
  manager=$1
  shift
  until_in $patience_welcome
  [ "$manager" != apt ] || update
  failed=''
  for package in "$@"; do
    case $manager in
      apt)
        { timeout "$(left)" apt-get -q -y -o DPkg::Lock::Timeout=60 --no-install-recommends --download-only install "$package" &&
          apt_get --no-install-recommends --no-download install "$package"; } || failed="$failed $package"
        ;;
      *)
        { timeout "$(left)" dnf -q -y --setopt=install_weak_deps=False --downloadonly install "$package" &&
          dnf -q -y -C --setopt=install_weak_deps=False install "$package"; } || failed="$failed $package"
        ;;
    esac
  done
  [ -z "$failed" ]
}

use_proxy
case ${1-} in
  needed | welcome) "$@" ;;
  *) echo "usage: packages.sh needed|welcome apt|dnf PACKAGE…" >&2; exit 2 ;;
esac
