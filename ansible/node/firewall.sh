#!/bin/sh
# The node's firewall, changed in such a way that nobody is locked out. As root. One word says what:
#
#   firewall.sh is-kept    whether the wanted rules are kept and in force
#   firewall.sh try        puts them in force; unless `keep` follows, the node goes back by itself
#   firewall.sh keep       said in a new session: the rules have let it in
#   firewall.sh back       the rules of before; what systemd runs when time is up
#
# firewall.wanted is laid down by the deployer; firewall.nft is what a reboot loads.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

ours=/etc/exasol-deployer
kept=$ours/firewall.nft
trial=/run/exasol-firewall-trial.nft
unit=exasol-firewall-trial
# How long a new session may take to come: many nodes are asked one after the other, and emulated ones are slow.
patience=300

fail() { echo "error: firewall: $*" >&2; exit 1; }

# A bridge that leads outside is not one of this machine's own containers.
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

# What the machine's owner has laid beside them may be refused: then without it, as the unit does at boot.
load() { nft -f $kept || sed '/^ *include /d' $kept | nft -f -; }

try() {
  wanted >$trial.new
  problem=$(nft -c -f $trial.new 2>&1) || fail "$problem"
  systemctl stop $unit.timer 2>/dev/null || true
  rm -f $trial.proven
  mv -f $trial.new $trial
  if ! systemd-run --quiet --collect --unit=$unit --on-active=${patience}s --timer-property=AccuracySec=1s "$0" back; then
    # An earlier trial may be in force, whose way back was just taken away.
    back 2>/dev/null || true
    fail "systemd-run does not take the way back, so the rules of before are in force"
  fi
  nft -f $trial
  echo "changed: firewall, on trial"
}

keep() {
  # Whoever moves it away first decides. A lost connection makes Ansible say it again.
  if ! mv $trial $trial.proven 2>/dev/null && [ ! -e $trial.proven ]; then
    if is_kept; then return 0; fi
    fail "nobody came within $patience s, so the rules of before are back"
  fi
  systemctl stop $unit.timer 2>/dev/null || true
  cp $trial.proven $kept.new
  sync
  mv -f $kept.new $kept
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
