#!/bin/sh
# `exasol support` runs this on a node, as the login user. The script is sent on standard input, so that it also works
# on a node that was never set up. Two lines are put before it: mark=WORD, a word that nothing else prints, and
# most=BYTES. It changes nothing. For each section it prints
#
#   MARK begin NAME COMMAND…
#   the end of the command's output, at most this many bytes, and a newline
#   MARK end STATUS                exit status of the command; 124: time limit; absent, late: it was not run
set -u
# shellcheck disable=SC2154 # set in the lines before the script
readonly mark most
umask 077
LC_ALL=C
export LC_ALL
# c4 must not look for machines in a cloud, and must wait for slow nodes.
CCC_AWS_PROFILE=none CCC_USER_PS_REMOTE_TIMEOUT=30000
export CCC_AWS_PROFILE CCC_USER_PS_REMOTE_TIMEOUT

# The time limit for the whole report in seconds; the deployer waits a little longer.
budget=150
began=$(date +%s)
RELEASE=$HOME/exasol-release FIRST=yes
if [ -r /etc/exasol-deployer/node.conf ]; then
  # shellcheck source=/dev/null
  . /etc/exasol-deployer/node.conf
fi

# section NAME SECONDS COMMAND…: runs the command with a time limit and prints its section.
section() {
  name=$1 limit=$2
  shift 2
  echo "$mark begin $name $(echo "$*" | tr '\n' ' ')"
  left=$((budget + began - $(date +%s)))
  if [ "$left" -le 0 ]; then
    status=late
  else
    [ "$limit" -le "$left" ] || limit=$left
    status=$({
      {
        timeout -k 2 "$limit" "$@" </dev/null 2>&1 3>&- 4>&-
        echo $? >&3
      } | tail -c "$most" >&4
    } 3>&1)
  fi 4>&1
  echo
  echo "$mark end $status"
}

# file NAME PATH: prints the end of a file that only root may read.
file() {
  if sudo -n test -f "$2"; then
    section "$1" 10 sudo -n tail -c "$most" "$2"
  else
    echo "$mark begin $1 $2"
    echo
    echo "$mark end absent"
  fi
}

units='c4.service c4_cloud_command.service exasol-admin-ui.service exasol-firewall.service exasol-overlay.service'

section clock.txt 10 sh -c 'date -u +%Y-%m-%dT%H:%M:%S.%NZ; uptime; timedatectl 2>&1; true'
section system.txt 10 sh -c 'uname -a; cat /etc/os-release; nproc; grep -m 1 "model name" /proc/cpuinfo; free -m; cat /proc/loadavg; true'
section disks.txt 10 sh -c 'lsblk -o NAME,SIZE,TYPE,FSTYPE,MOUNTPOINT,SERIAL,MODEL; ls -l /dev/exadata_*; df -h; df -i; true'
section network.txt 10 sh -c 'ip -br address; ip route; sudo -n ss -tlnp; true'
section firewall.txt 10 sh -c 'sudo -n nft list ruleset; true'
# shellcheck disable=SC2086 # words
section units.txt 15 sh -c 'systemctl --no-pager --full status "$@"; systemctl --no-pager --failed; true' sh $units
[ ! -r /etc/exasol-deployer/node.conf ] || section node.conf 5 cat /etc/exasol-deployer/node.conf
# shellcheck disable=SC2086,SC2046 # words
section journal.txt 20 sudo -n journalctl --no-pager -o short-iso-precise -n 5000 $(printf -- '-u %s ' $units)
section kernel.txt 15 sudo -n journalctl --no-pager -o short-iso-precise -n 1000 -k
file cloud-init.log /var/log/cloud-init-output.log

# The logs of the installation and of c4.
if [ "$FIRST" != no ]; then
  file diag.log "$RELEASE/diag.log"
  file play.log "$RELEASE/play.log"
fi
sudo -n find /var/log/ccc -type f ! -name '*.gz' ! -name '*.xz' 2>/dev/null | sort | head -n 40 | while read -r path; do
  file "ccc-$(echo "${path#/var/log/ccc/}" | tr '/ ' '--')" "$path"
done
# The log of the start of COS.
sudo -n find "$HOME/.ccc/play/local" -path '*/data/logs/cored/exainit.log' 2>/dev/null | head -n 4 | while read -r path; do
  node=${path%/data/logs/cored/exainit.log}
  file "exainit-${node##*/}.log" "$path"
done

c4=
for program in "$HOME/.local/bin/c4" "$(command -v c4 || true)" "$RELEASE/c4"; do
  [ -n "$c4" ] || [ ! -x "$program" ] || c4=$program
done
if [ "$FIRST" = no ]; then
  exit 0
elif [ -z "$c4" ]; then
  echo "$mark begin c4-version.txt c4 version"
  echo
  echo "$mark end absent"
  exit 0
fi
section c4-version.txt 10 "$c4" version
section c4-config-check.txt 15 "$c4" config -V
section c4-ps.txt 40 "$c4" ps
file c4-errors.log "$HOME/.exasol-c4-errors.log"
[ ! -e "$HOME/.exasol-confd-failure" ] || file confd-failure.txt "$HOME/.exasol-confd-failure"
# Use the way to confd that confd.sh has remembered, else the id of the cluster, else its number.
way=$(cat "$HOME/.exasol-confd-way" 2>/dev/null)
if [ -z "$way" ]; then
  id=$(timeout -k 2 15 "$c4" config -e .play.id </dev/null 2>/dev/null | tr -d '" \n')
  case $id in *[!0-9a-f]* | '') way=1 ;; *) way=$id ;; esac
fi
confd() {
  name=$1
  shift
  case $way in
    ssh) section "$name" 30 ssh -o BatchMode=yes -o ConnectTimeout=15 cos -- confd_client "$@" ;;
    *) section "$name" 30 "$c4" connect -s cos -i "${way#* }" -- confd_client "$@" ;;
  esac
}
confd db-list.json db_list -j
# The installation always gives the database this name.
confd db-info.json db_info -j "db_name: Exasol"
confd license.txt license_info
exit 0
