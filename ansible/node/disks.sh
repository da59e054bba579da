# shellcheck shell=sh disable=SC2034
# Sourced by prepare-node.sh and health.sh: functions that find data disks by their identity.

# split DISK: sets `link` (/dev/exadata_01), `identity` (names in /dev, see identified), and the allowed size,
# `least` and `most` (bytes).
split() {
  link=${1%%,*} rest=${1#*,}
  identity=${rest%%,*} rest=${rest#*,}
  least=${rest%,*} most=${rest#*,}
}

# identified NAMES: prints the disk (/dev/sdb) to which one of these names in /dev belongs. The names are
# patterns, separated by |.
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

# is_right LINK IDENTITY: whether the link points to the disk with that identity.
is_right() { [ -b "$1" ] && [ "$(readlink -f "$1")" = "$(identified "$2")" ]; }

# size_of DISK: prints the size in bytes.
size_of() {
  read -r sectors <"/sys/class/block/${1##*/}/size"
  echo $((sectors * 512))
}

# contents DEVICE: prints what blkid finds on it; nothing if it is empty. A device with two signatures (LVM over
# an old file system) is not empty, and a device that cannot be read does not count as empty.
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
