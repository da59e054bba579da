# shellcheck shell=sh disable=SC2154
# `exasol certificate set` on the first node, as the login. c4.sh and confd.sh stand before it, in one text for
# `sh -c`. Standard input has the certificates, the server's first, and then the private key, all PEM: they go on
# to COS, which has them as files of its root alone, in memory where it can, while confd reads them.
# One word says what: `ready` finds out whether confd can be asked, `set` does it.
set -eu
LC_ALL=C
export LC_ALL

fail() { echo "error: $*" >&2; exit 1; }

confd_find_way </dev/null || fail "confd cannot be asked: $(confd_failure)"
[ "${1-}" != ready ] || exit 0

# shellcheck disable=SC2016 # it is expanded there
# Within single quotes for the second shell, so none in it. confd wants its own double quotes around {< FILE}.
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
# confd begins to use the certificate while it answers, and may break the connection off: what the nodes show decides.
echo "status $code"
