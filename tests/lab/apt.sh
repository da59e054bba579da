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
  # Without systemd, as in a container, the packages' old init scripts would
  # start servers that nobody asked for. This file is how Debian is told not to.
  if [ ! -d /run/systemd/system ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin $policy
    ours=1
  fi
  {
    # A list that is hours old names files that are gone; a bare machine has none.
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
