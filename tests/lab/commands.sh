# The commands of scripts/lab, one function each. They use STATE (the lab's
# folder), name, and what lib.sh, artifacts.sh and processes.sh define.
# shellcheck shell=bash

INSIDE=$REPO/tests/lab/inside.sh
UP_SECONDS=180

need_root() {
  [ "$(id -u)" -eq 0 ] || die "$EXIT_PREFLIGHT" "a lab needs root: it makes namespaces and mounts" \
    "run: sudo ${0} …"
}

# locked FUNCTION...: runs the function while no other command works on this lab. Programs
# that it starts must close descriptor 9; otherwise the daemons would hold the lock.
locked() {
  mkdir -p "$LAB_HOME/locks"
  exec 9>"$LAB_HOME/locks/lab-$name.lock"
  flock 9
  "$@"
}

# is_up: whether the first process runs and has finished the setup.
is_up() {
  local pid start
  { read -r pid start <"$STATE/holder"; } 2>/dev/null || return 1
  alive "$pid" "$start" && [ -e "$STATE/ready" ]
}

need_up() { is_up || die 1 "the lab '$name' is not up" "run: scripts/lab up --name $name"; }

# in_lab COMMAND...: runs the command in the lab with plain nsenter; used for our daemons and virsh.
in_lab() {
  local pid
  read -r pid _ <"$STATE/holder"
  nsenter --target "$pid" --mount --net -- "$@" 9>&-
}

lab_virsh() { in_lab env -u LIBVIRT_DEFAULT_URI virsh -q --connect qemu:///system "$@"; }

# The variables of `exec`. `up` determines them once, so that `exec` is fast.
write_environment() {
  local image venv config
  config=$(lab_cli_config)
  venv=$(lab_venv)
  image=$(lab_image)
  mkdir -p "$STATE"
  printf '%s\n' "TF_CLI_CONFIG_FILE=$config" \
    "EXASOL_PROVIDER_CHECKSUMS=${config%.tfrc}.checksums.toml" "EXASOL_LIBVIRT_IMAGE=$image" \
    "EXASOL_LIBVIRT_IMAGE_SHA256=$(cat "$image.sha256")" "LAB_VENV=$venv" >"$STATE/environment.new"
}

lab_up() {
  local kvm=$1 program reason pid
  for program in libvirtd virtlogd virsh dnsmasq qemu-system-x86_64 unshare nsenter ip; do
    have "$program" || die "$EXIT_PREFLIGHT" "$program is missing" "run: scripts/setup --lab"
  done
  if is_up && [ "$(cat "$STATE/kvm")" != "$kvm" ]; then
    die 1 "the lab '$name' is up with /dev/kvm $(cat "$STATE/kvm")" \
      "run first: scripts/lab down --name $name"
  fi
  reason=$(unshare --mount --net --propagation private true 2>&1) ||
    die "$EXIT_PREFLIGHT" "this machine does not allow namespaces: $reason" \
      "in a container: start it privileged, or run the lab on the host"
  is_up || [ ! -e "$STATE" ] || lab_down # what an interrupted run may have left
  write_environment
  mv "$STATE/environment.new" "$STATE/environment"
  if is_up; then
    daemon_pid >/dev/null || lab_start_daemon
    say "lab '$name' is up"
    return
  fi

  mkdir -p "$STATE"/{lib,etc,log} "$LAB_HOME/qemu-capabilities-$kvm"
  chmod 711 "$STATE/lib"
  cat /proc/sys/kernel/random/uuid >"$STATE/id"
  echo "$kvm" >"$STATE/kvm"
  # Starts a new session, so that the lab continues after this shell. The environment is
  # minimal, so that no setting of the caller reaches daemons and guests. Each program
  # replaces the previous one, so that $! is the lab's first process.
  setsid env -i PATH="$PATH" HOME="$HOME" LC_ALL=C.UTF-8 \
    unshare --mount --net --propagation private \
    bash "$INSIDE" "$STATE" "$LAB_HOME/qemu-capabilities-$kvm" "$kvm" \
    </dev/null >"$STATE/up.log" 2>&1 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid")" >"$STATE/holder"
  wait_until_up
  say "lab '$name' is up"
}

wait_until_up() {
  local pid start deadline=$((SECONDS + UP_SECONDS)) reason=
  read -r pid start <"$STATE/holder"
  until is_up; do
    alive "$pid" "$start" || { reason="the lab '$name' could not be started"; break; }
    [ $SECONDS -lt $deadline ] || { reason="the lab '$name' did not start in $UP_SECONDS s"; break; }
    sleep 0.05
  done
  [ -z "$reason" ] && return
  tail -n 20 "$STATE/up.log" >&2
  cp "$STATE/up.log" "$LAB_HOME/failed-up.log"
  lab_down
  die 1 "$reason; log: $LAB_HOME/failed-up.log"
}

lab_exec() {
  local pid line
  [ $# -gt 0 ] || die "$EXIT_USAGE" "exec needs a command" "like: scripts/lab exec -- virsh list --all"
  need_root
  need_up
  while read -r line; do export "${line?}"; done <"$STATE/environment"
  export EXASOL_LAB=$name
  # Otherwise newer Terraform checks for updates at every start.
  export CHECKPOINT_DISABLE=1
  PATH=$LAB_VENV/bin:$PATH:$(dirname "$(tofu_path)")
  unset LAB_VENV
  read -r pid _ <"$STATE/holder"
  # Uses exec in every step, so that the command has the process id of this script and gets
  # its signals and terminal. nsenter changes to /.
  # shellcheck disable=SC2016
  exec nsenter --target "$pid" --mount --net -- \
    sh -c 'cd "$1" || exit 1; shift; exec "$@"' sh "$PWD" "$@"
}

lab_status() {
  local domains daemon=down
  if ! is_up; then
    if [ -e "$STATE" ]; then say "lab '$name' is broken: run scripts/lab up or down"; else say "lab '$name' is not up"; fi
    return 1
  fi
  daemon_pid >/dev/null && daemon=up
  echo "lab '$name' is up: libvirtd $daemon, /dev/kvm $(cat "$STATE/kvm")"
  [ $daemon = up ] || return 0
  domains=$(lab_virsh list --name | grep -c . || true)
  echo "running domains: $domains"
}

# daemon_pid: prints the process id of libvirtd, if it runs and belongs to this lab.
daemon_pid() {
  local pid
  pid=$(in_lab cat /run/libvirtd.pid 2>/dev/null) || return 1
  members "$(cat "$STATE/id")" | grep -x "$pid" >/dev/null || return 1
  echo "$pid"
}

lab_stop_daemon() {
  local hard=$1 pid
  need_up
  pid=$(daemon_pid) || { say "libvirtd of lab '$name' is down"; return 0; }
  if [ -n "$hard" ]; then kill -KILL "$pid"; else kill -TERM "$pid"; fi
  while [ -e "/proc/$pid/exe" ]; do sleep 0.05; done
  say "libvirtd of lab '$name' is down"
}

lab_start_daemon() {
  need_up
  daemon_pid >/dev/null || in_lab env -i PATH="$PATH" HOME="$HOME" LC_ALL=C.UTF-8 libvirtd -d
  say "libvirtd of lab '$name' is up"
}

# Ends all processes and removes the folder. The mounts are in the lab's namespace and
# disappear with its last process. Also cleans up after an `up` that failed.
lab_down() {
  local pid start domain
  [ -e "$STATE" ] || { say "lab '$name' is not up"; return 0; }
  if is_up && daemon_pid >/dev/null; then
    # First let the daemon stop guests and networks: guests end in order, and dnsmasq ends with its network.
    for domain in $(lab_virsh list --name); do
      lab_virsh destroy "$domain" >/dev/null || true
    done
  fi
  end_members "$(cat "$STATE/id" 2>/dev/null || true)"
  # Until the first process has written its mark, it is known only by its process id.
  if { read -r pid start <"$STATE/holder"; } 2>/dev/null && alive "$pid" "$start"; then
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -rf "$STATE"
}

lab_down_all() {
  for STATE in "$LAB_HOME"/labs/*/; do
    STATE=${STATE%/}
    [ -d "$STATE" ] || continue
    name=${STATE##*/}
    locked lab_down
  done
}

lab_list() {
  local folder
  for folder in "$LAB_HOME"/labs/*/; do
    [ -d "$folder" ] || continue
    folder=${folder%/}
    name=${folder##*/} STATE=$folder
    if is_up; then echo "$name up"; else echo "$name broken"; fi
  done
}

lab_path() {
  case $1 in
    state) echo "$STATE" ;;
    log) echo "$STATE/log/libvirtd.log" ;;
    image) lab_image ;;
    sha256) cat "$(lab_image).sha256" ;;
    venv) lab_venv ;;
    cli-config) lab_cli_config ;;
    *) die "$EXIT_USAGE" "no path called $1" "one of: state, image, sha256, venv, cli-config, log" ;;
  esac
}
