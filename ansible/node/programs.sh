# shellcheck shell=sh disable=SC2034,SC2154
# Sourced by prepare-node.sh and warm.sh, after system.sh: the packages that a node needs and lacks. A warm base is made
# with this list, and every node checks the same list.

# package PROGRAM DEBIAN-NAME RPM-NAME: prints the name of the package if the program is missing.
package() {
  have "$1" || if [ "$manager" = apt ]; then echo "$2"; else echo "$3"; fi
}

# find_missing: sets `manager` (apt, dnf), `missing` (required packages) and `wanted` (optional packages).
find_missing() {
  if have apt-get; then manager=apt; else manager=dnf; fi
  missing=$(
    package parted parted parted
    package lvm lvm2 lvm2
    package ip iproute2 iproute
    package rsync rsync rsync
    package uuidgen uuid-runtime util-linux
    package curl curl curl
    package nft nftables nftables
    package openssl openssl openssl
    package ssh-keyscan openssh-client openssh-clients
  )
  wanted=$(
    [ "$MDNS" = no ] || package avahi-daemon avahi-daemon avahi
    if [ "$PODMAN" = yes ] && has_quadlet; then package podman podman podman; fi
  )
}
