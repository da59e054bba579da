#!/bin/sh
# Changes the node's firewall in such a way that nobody is locked out. Runs as root. The argument is the action:
#
#   firewall.sh is-kept    whether the wanted rules are saved and active
#   firewall.sh try        activates the wanted rules; unless `keep` follows, the node restores the old ones
#   firewall.sh keep       saves the rules; called in a new session, which shows that the rules allow it
#   firewall.sh settle     as `keep`, but prints "again: …" if the old rules were already restored
#   firewall.sh back       restores the old rules; systemd calls this after the time limit
#
# The deployer writes firewall.wanted; a reboot loads firewall.nft.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

ours=/etc/exasol-deployer
kept=$ours/firewall.nft
trial=/run/exasol-firewall-trial.nft
unit=exasol-firewall-trial
# Seconds until a new session must arrive. The deployer connects to many nodes one after the other, and emulated nodes are slow.
patience=300

fail() { echo "error: firewall: $*" >&2; exit 1; }

# find_uplinks: sets $uplinks to the devices of the default routes. A bridge among them leads outside, not to containers
# of this machine. It reads the kernel's tables, because the start of `ip` takes longer than its work on an emulated node.
# That of IPv6 has the routes of all tables, so a device of a policy's default route counts, too.
find_uplinks() {
  uplinks=' ' nothing=00000000
  while read -r device destination _ _ _ _ _ mask _; do
    [ "$destination/$mask" != $nothing/$nothing ] || add_uplink "$device"
  done </proc/net/route
  [ -e /proc/net/ipv6_route ] || return 0
  while read -r destination length _ _ _ _ _ _ _ device; do
    [ "$destination/$length" != $nothing$nothing$nothing$nothing/00 ] || add_uplink "$device"
  done </proc/net/ipv6_route
}

# add_uplink DEVICE: the kernel shows routes to nowhere as routes to lo and *.
add_uplink() {
  case " lo * $uplinks " in *" $1 "*) ;; *) uplinks="$uplinks$1 " ;; esac
}

wanted() {
  cat $ours/firewall.wanted
  find_uplinks
  # shellcheck disable=SC2086 # each is a word
  set -- $uplinks
  [ $# -lt 2 ] || uplinks=$(printf '%s\n' "$@" | sort)
  for device in $uplinks; do echo "add element inet exasol uplinks { \"$device\" }"; done
}

in_force() { nft list table inet exasol >/dev/null 2>&1; }

is_kept() { [ -e $kept ] && wanted | cmp -s - $kept && in_force; }

# load: loads the saved rules. If nft refuses the files that the machine's owner has added, it loads the rules without
# them, as the unit does at boot.
load() { nft -f $kept || sed '/^ *include /d' $kept | nft -f -; }

schedule() { systemd-run --quiet --collect --unit=$unit --on-active=${patience}s --timer-property=AccuracySec=1s "$0" back; }

try() {
  wanted >$trial.new
  [ ! -e $trial.proven ] || rm -f $trial.proven
  # The timer of an earlier trial may still be there.
  if ! schedule 2>/dev/null; then
    systemctl stop $unit.timer 2>/dev/null || true
    if ! schedule; then
      # The rules of an earlier trial may be active, and their timer was just stopped: restore the old rules now.
      back 2>/dev/null || true
      fail "systemd-run could not schedule the return to the old rules, so the new rules are not tried and the old rules are active"
    fi
  fi
  mv -f $trial.new $trial
  # nft activates all of a file or nothing.
  if ! problem=$(nft -f $trial 2>&1); then
    back 2>/dev/null || true
    systemctl stop $unit.timer 2>/dev/null || true
    fail "$problem"
  fi
  echo "changed: firewall, on trial"
}

# prove: `prove` and `back` both move this file away; the first one wins. Ansible may call it twice if a connection is lost.
prove() { mv $trial $trial.proven 2>/dev/null || [ -e $trial.proven ]; }

keep() {
  if prove; then
    save
  elif ! is_kept; then
    fail "no new session arrived within $patience s, so the old rules were restored"
  fi
}

save() {
  # The timer needs no stop: `back` finds nothing to restore any more.
  cp $trial.proven $kept.new
  sync $kept.new
  mv -f $kept.new $kept
  sync $ours
  systemctl start exasol-firewall.service || fail "exasol-firewall.service does not start"
  rm -f $trial.proven
  echo "kept: firewall"
}

settle() {
  if prove; then
    save
  elif ! is_kept; then
    echo "again: the old rules were restored, because no new session arrived within $patience s"
  fi
}

back() {
  mv $trial $trial.given-up 2>/dev/null || return 0
  if [ -e $kept ]; then load; else nft delete table inet exasol; fi
  rm -f $trial.given-up
}

case ${1-} in
  is-kept) is_kept ;;
  try | keep | settle | back) "$1" ;;
  *) echo "usage: firewall.sh is-kept|try|keep|settle|back" >&2; exit 2 ;;
esac
