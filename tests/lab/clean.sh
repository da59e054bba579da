# `scripts/lab clean`. Sourced by scripts/lab; uses what
# commands.sh defines.
# shellcheck shell=bash

# named PREFIX: prints the lines of standard input that are names and begin with PREFIX.
named() { awk -v prefix="$1" 'index($0, prefix) == 1'; }

lab_clean() {
  local prefix=$1 item pool
  [ -n "$prefix" ] || die "$EXIT_USAGE" "clean needs --prefix with the beginning of the names"
  [[ default != "$prefix"* ]] || die "$EXIT_USAGE" "the prefix '$prefix' would match the lab's own pool and network"
  need_up
  lab_virsh list --all --name | named "$prefix" | while read -r item; do
    lab_virsh destroy "$item" >/dev/null 2>&1 </dev/null || true
    # A transient domain does not exist any more after it was destroyed.
    lab_virsh undefine "$item" --managed-save --snapshots-metadata --checkpoints-metadata --nvram \
      >/dev/null 2>&1 </dev/null || true
    echo "domain $item"
  done
  lab_virsh pool-list --name | awk 'NF { print $1 }' | while read -r pool; do
    lab_virsh pool-refresh "$pool" </dev/null >/dev/null
    # If the name of the pool matches, remove all its volumes, otherwise only the matching ones.
    lab_virsh vol-list "$pool" </dev/null | awk 'NF { print $1 }' |
      if [[ $pool == "$prefix"* ]]; then cat; else named "$prefix"; fi |
      while read -r item; do
        lab_virsh vol-delete "$item" --pool "$pool" </dev/null >/dev/null
        echo "volume $pool/$item"
      done
  done
  lab_virsh pool-list --all --name | awk 'NF { print $1 }' | named "$prefix" | while read -r item; do
    lab_virsh pool-destroy "$item" >/dev/null 2>&1 </dev/null || true
    lab_virsh pool-undefine "$item" >/dev/null 2>&1 </dev/null || true
    echo "pool $item"
  done
  lab_virsh net-list --all --name | named "$prefix" | while read -r item; do
    lab_virsh net-destroy "$item" >/dev/null 2>&1 </dev/null || true
    lab_virsh net-undefine "$item" >/dev/null 2>&1 </dev/null || true
    echo "network $item"
  done
}
