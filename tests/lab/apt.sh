# Installing Debian packages without side effects. Sourced by scripts/setup.
# shellcheck shell=bash

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "$EXIT_PREFLIGHT" "installing packages needs root, and there is no sudo" \
      "run as root: apt-get install $*"
  fi
}

apt_install() {
  local log policy=/usr/sbin/policy-rc.d ours=''
  mkdir -p "$LAB_HOME"
  log=$LAB_HOME/apt.log
  say "installing (log: $log)"
  # Without systemd, for example in a container, the old init scripts of the packages
  # would start servers. This file prevents that on Debian.
  if [ ! -d /run/systemd/system ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin $policy
    ours=1
  fi
  {
    # Old package lists name files that no longer exist, and a new machine has no lists.
    as_root apt-get update --quiet &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes \
        --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
  } >"$log" 2>&1 </dev/null || {
    [ -z "$ours" ] || as_root rm -f $policy
    tail -n 20 "$log" >&2
    die 1 "apt-get failed; log: $log"
  }
  [ -z "$ours" ] || as_root rm -f $policy
}
