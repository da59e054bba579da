# `scripts/lab sshd`: an SSH server on the lab's own 127.0.0.1, with keys made for
# it, so that qemu+ssh:// addresses and jump hosts can be tried without touching
# the host's server. Sourced by scripts/lab; uses what commands.sh defines.
# shellcheck shell=bash
# shellcheck disable=SC2154 # name comes from scripts/lab

SSHD_PORT=2222

lab_sshd() {
  local folder=$STATE/sshd sshd
  need_root
  need_up
  sshd=$(command -v sshd) || die "$EXIT_PREFLIGHT" "sshd is missing" "run: scripts/setup --lab"
  mkdir -p "$folder"
  chmod 700 "$folder"
  [ -e "$folder/host_key" ] || ssh-keygen -q -t ed25519 -N '' -C "lab $name" -f "$folder/host_key"
  [ -e "$folder/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C "lab $name" -f "$folder/id_ed25519"
  cp "$folder/id_ed25519.pub" "$folder/authorized_keys"
  echo "[127.0.0.1]:$SSHD_PORT $(cut -d' ' -f1,2 "$folder/host_key.pub")" >"$folder/known_hosts"
  # StrictModes would object to the folders above, which belong to the user.
  cat >"$folder/config" <<CONF
ListenAddress 127.0.0.1:$SSHD_PORT
HostKey $folder/host_key
AuthorizedKeysFile $folder/authorized_keys
PidFile $folder/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
CONF
  # OpenSSH as libvirt runs it takes no file names from a URI, so that these come
  # by its configuration. Visible inside the lab only.
  cat >"$STATE/ssh_config.d/lab.conf" <<CONF
Host 127.0.0.1
  GlobalKnownHostsFile $folder/known_hosts
  IdentityFile $folder/id_ed25519
CONF
  if ! sshd_runs "$folder"; then
    in_lab env -i PATH="$PATH" HOME="$HOME" LC_ALL=C.UTF-8 \
      "$sshd" -f "$folder/config" -E "$folder/log"
  fi
  printf 'port=%s\nkey=%s\nknown_hosts=%s\nuri=%s\n' "$SSHD_PORT" "$folder/id_ed25519" \
    "$folder/known_hosts" "qemu+ssh://root@127.0.0.1:$SSHD_PORT/system"
}

sshd_runs() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  members "$(cat "$STATE/id")" | grep -x "$pid" >/dev/null
}
