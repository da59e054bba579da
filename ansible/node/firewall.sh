#!/bin/sh
# Changes the node's firewall in such a way that nobody is locked out. Runs as root. The argument is the action:
#
#   firewall.sh is-kept    whether the wanted rules are saved and active
#   firewall.sh try        activates the wanted rules; unless `keep` follows, the node restores the old ones
#   firewall.sh keep       saves the rules; called in a new session, which shows that the rules allow it
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

# uplinks: prints the devices of the default routes. A bridge among them leads outside, not to containers of this machine.
uplinks() {
  { ip -o route show default; ip -o -6 route show default; } 2>/dev/null |
    sed -n 's/.* dev \([A-Za-z0-9_.:@-]*\).*/\1/p' | sort -u
}

wanted() {
  cat $ours/firewall.wanted
  for device in $(uplinks); do echo "add element inet exasol uplinks { \"$device\" }"; done
}

in_force() { nft list table inet exasol >/dev/null 2>&1; }

is_kept() { [ -e $kept ] && wanted | cmp -s - $kept && in_force; }

# load: loads the saved rules. If nft refuses the files that the machine's owner has added, it loads the rules without
# them, as the unit does at boot.
load() { nft -f $kept || sed '/^ *include /d' $kept | nft -f -; }

try() {
  wanted >$trial.new
  problem=$(nft -c -f $trial.new 2>&1) || fail "$problem"
  systemctl stop $unit.timer 2>/dev/null || true
  rm -f $trial.proven
  mv -f $trial.new $trial
  if ! systemd-run --quiet --collect --unit=$unit --on-active=${patience}s --timer-property=AccuracySec=1s "$0" back; then
    # The rules of an earlier trial may be active, and their timer was just stopped: restore the old rules now.
    back 2>/dev/null || true
    fail "systemd-run could not schedule the return to the old rules, so the new rules are not tried and the old rules are active"
  fi
  nft -f $trial
  echo "changed: firewall, on trial"
}

keep() {
  # `keep` and `back` both move this file away; the first one wins. Ansible may call `keep` twice if a connection is lost.
  if ! mv $trial $trial.proven 2>/dev/null && [ ! -e $trial.proven ]; then
    if is_kept; then return 0; fi
    fail "no new session arrived within $patience s, so the old rules were restored"
  fi
  systemctl stop $unit.timer 2>/dev/null || true
  cp $trial.proven $kept.new
  sync $kept.new
  mv -f $kept.new $kept
  sync $ours
  systemctl start exasol-firewall.service || fail "exasol-firewall.service does not start"
  rm -f $trial.proven
  echo "kept: firewall"
}

back() {
  mv $trial $trial.given-up 2>/dev/null || return 0
  if [ -e $kept ]; then load; else nft delete table inet exasol; fi
  rm -f $trial.given-up
}

case ${1-} in
  is-kept) is_kept ;;
  try | keep | back) "$1" ;;
  *) echo "usage: firewall.sh is-kept|try|keep|back" >&2; exit 2 ;;
esac
