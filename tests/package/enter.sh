#!/usr/bin/env bash
# Runs a command in a chroot. Started in mount and process namespaces of its own
# (chroot.py), so that its mounts and whatever it started end with it, however it ends.
#
# Usage: enter.sh ROOT USER [--rw|--ro FOLDER]... -- COMMAND...
#        FOLDER is FOLDER[=PLACE]: bound at that place in the chroot, else at its own
set -euo pipefail
root=$1 user=$2
shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  from=${2%%=*} to=$root/${2#*=}
  if [ -d "$from" ]; then
    mkdir -p "$to"
  else
    mkdir -p "${to%/*}"
    [ -e "$to" ] || : >"$to"
  fi
  mount --bind "$from" "$to"
  [ "$1" = --rw ] || mount -o remount,bind,ro "$to"
  shift 2
done
shift
exec chroot --userspec="$user" "$root" "$@"
