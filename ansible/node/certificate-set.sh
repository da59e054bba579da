# shellcheck shell=sh disable=SC2154
# Runs for `exasol certificate set` on the first node, as the login user. c4.sh and confd.sh come before it, in one
# text for `sh -c`. Standard input has the certificates, the server's first, and then the private key, all PEM.
# They are sent to COS, where only root can read their files, in memory if possible, while confd reads them.
# The argument `ready` checks whether confd can be reached, `set` installs the certificate.
set -eu
LC_ALL=C
export LC_ALL

fail() { echo "error: $*" >&2; exit 1; }

confd_find_way </dev/null || fail "confd cannot be reached: $(confd_failure)"
[ "${1-}" != ready ] || exit 0

# shellcheck disable=SC2016 # it is expanded there
# The second shell gets this text in single quotes, so it must not contain any. confd needs double quotes around {< FILE}.
inside='set -eu; umask 077
d=$(mktemp -d /dev/shm/exasol-certificate.XXXXXX 2>/dev/null || mktemp -d)
trap "rm -rf \"$d\"" EXIT
cat >"$d/both"
sed -n "/BEGIN CERTIFICATE/,/END CERTIFICATE/p" "$d/both" >"$d/cert"
sed -n "/BEGIN.*PRIVATE KEY/,/END.*PRIVATE KEY/p" "$d/both" >"$d/key"
rm -f "$d/both"
confd_client cert_update cert: "\"{< $d/cert}\"" key: "\"{< $d/key}\""'

way=$(cat "$confd_way")
code=0
case $way in
  ssh) timeout -k 5 120 ssh -o BatchMode=yes -o ConnectTimeout=15 cos -- "sh -c '$inside'" || code=$? ;;
  *) timeout -k 5 120 "$(c4_program)" connect -s cos -i "${way#* }" -- "sh -c '$inside'" || code=$? ;;
esac
# confd starts to use the certificate while it answers, and may close the connection. So the caller does not rely on
# this status: it checks the certificates of the nodes.
echo "status $code"
