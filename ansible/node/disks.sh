# shellcheck shell=sh disable=SC2034
# Sourced by prepare-node.sh and health.sh: data disks, which are known by their identity.

# split DISK: sets `link` (/dev/exadata_01), `identity` (names below /dev, see identified), `least` and
# `most` (bytes).
split() {
  link=${1%%,*} rest=${1#*,}
  identity=${rest%%,*} rest=${rest#*,}
  least=${rest%,*} most=${rest#*,}
}

# identified NAMES: the disk (/dev/sdb) that one of these names below /dev belongs to; they are
# patterns, divided by |.
identified() {
  names=$1
  while [ -n "$names" ]; do
    for path in /dev/${names%%|*}; do
      case $path in *-part[0-9]*) continue ;; esac
      [ ! -b "$path" ] || { readlink -f "$path"; return 0; }
    done
    case $names in *'|'*) names=${names#*|} ;; *) names='' ;; esac
  done
  return 1
}

# is_right LINK IDENTITY: the link leads to the disk with that identity.
is_right() { [ -b "$1" ] && [ "$(readlink -f "$1")" = "$(identified "$2")" ]; }

# size_of DISK: in bytes
size_of() {
  read -r sectors <"/sys/class/block/${1##*/}/size"
  echo $((sectors * 512))
}

# contents DEVICE: what is recognized on it; nothing if it is raw. Two kinds at once (LVM over an old
# file system) are as little empty as one, and what cannot be read is not known to be empty.
contents() {
  code=0
  said=$(blkid -p -o export "$1" 2>&1) || code=$?
  case $code in
    2) ;;
    0) echo "$said" | grep TYPE= | xargs ;;
    8) echo "several signatures" ;;
    *) echo "cannot be read: $said" ;;
  esac
}
