"""node/database.sh, install-cluster.sh and check-services.sh against a c4 that is as unkind as a real one may be.

Run: python3 -m unittest discover tests/ansible"""

import base64
import hashlib
import io
import json
import stat
import subprocess
import tarfile
import unittest

from fake_node import SCRIPTS, FakeNode

# `stages` is what `ps -e` prints, `ps-error` what it says beside that, `info` and `states` what confd says: the last
# line of `states` stays.
C4 = r"""
case "$*" in
  "ps -e "*)
    echo "$CCC_USER_PS_REMOTE_TIMEOUT $CCC_AWS_PROFILE" >"$ROOT/environment"
    [ ! -e "$ROOT/ps-error" ] || cat "$ROOT/ps-error" >&2
    cat "$ROOT/stages" ;;
  wait*) sleep "$CCC_CLOUD_ACTION_WAIT_TIMEOUT" ;;
  "config -e .play.id") echo 0a1b2c3d ;;
  "connect -s cos -i 0a1b2c3d -- "*)
    [ ! -e "$ROOT/no-cos" ] || { echo "ERRO no deployment" >&2; exit 1; }
    shift 6; exec sh -c "$*" ;;
  "_ calculate-memory "*) cat "$ROOT/calculated" ;;
  *) echo "ERRO not understood: $*" >&2; exit 1 ;;
esac
"""
CONFD = r"""
case "$*" in
  "db_list -j") cat "$ROOT/list" 2>/dev/null || echo '["Exasol"]' ;;
  "db_info "*) cat "$ROOT/info" ;;
  "db_state "*)
    head -n 1 "$ROOT/states"
    [ "$(wc -l <"$ROOT/states")" -le 1 ] || sed -i 1d "$ROOT/states" ;;
  "db_stop "*) head -n 1 "$ROOT/states" >"$ROOT/stopped-at"; [ ! -e "$ROOT/stop-fails" ] || { echo "db_stop: not now" >&2; exit 1; } ;;
  "db_start "*) [ ! -e "$ROOT/start-is-slow" ] || { echo starting >"$ROOT/states"; exit 124; }
    [ ! -e "$ROOT/start-fails" ] || { echo "db_start: no memory" >&2; exit 1; } ;;
  *) exit 2 ;;
esac
"""
CERTIFICATE = '#!/bin/sh\n[ -e "$ROOT/listens" ]\n'
SYSTEMCTL = r"""
case "$1 $*" in
  "is-active "*)
    cat "$ROOT/$2" 2>/dev/null || echo active
    # Whatever it was, at the next look it has died.
    [ "$2" != exasol-admin-ui.service ] || [ ! -e "$ROOT/dies" ] || echo failed >"$ROOT/$2"
    ;;
  *" start "*)
    [ ! -e "$ROOT/starts" ] || rm -f "$ROOT/exasol-admin-ui.service"
    [ ! -e "$ROOT/dies" ] || echo active >"$ROOT/exasol-admin-ui.service"
    ;;
esac
"""
CONFIG = "CCC_PLAY_DB_PASSWORD='very secret'\nCCC_PLAY_TIMEOUT=30m\n"


class Case(unittest.TestCase):
    def setUp(self):
        self.make()

    def make(self, **settings):
        self.node = FakeNode(self, **settings)
        self.node.c4(C4)
        self.node.program("confd_client", CONFD)
        self.node.program("ssh", 'echo "Connection refused" >&2; exit 255\n')
        self.node.program("systemctl", SYSTEMCTL)
        self.node.program("certificate.sh", CERTIFICATE, noted=False, place=self.node.lib)
        self.say("info", json.dumps({"state": "setup", "connectible": "No"}))
        self.say("states", "running\n")

    def say(self, name, text=""):
        (self.node.root / name).write_text(text)

    def stages(self, **nodes):
        self.say("stages", json.dumps([{"node": node, "stage": stage} for node, stage in nodes.items()]) + "\n")


class Up(Case):
    def up(self):
        run = self.node.run("database.sh", "up")
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.splitlines()

    def test_every_stage_is_d(self):
        self.stages(n11="d")
        self.assertEqual(self.up(), ["ready: n11=d"])

    def test_c4_is_asked_with_patience_and_without_aws(self):
        self.node.program("systemd-detect-virt", "echo kvm\n")
        self.stages(n11="d")
        self.up()
        self.assertEqual((self.node.root / "environment").read_text(), "10000 none\n")
        self.node.program("systemd-detect-virt", "echo qemu\n")
        self.up()
        self.assertEqual((self.node.root / "environment").read_text(), "30000 none\n")

    def test_a_running_database_is_up_whatever_its_stage(self):
        self.make(NODES=2)
        self.say("listens")
        answers = (
            '{"name": "Exasol", "state": "running", "connectible": "Yes", "nodes": {"active": ["n11"]}}',
            "connectible: 'Yes'\ninfo: ''\nname: Exasol\nstate: running\n",
            '{\n "connectible": true,\n "state": "Running"\n}',
        )
        for info in answers:
            for shown in ({"n11": "a1", "n12": "d"}, {"n12": "d"}, {}):
                with self.subTest(info=info, shown=shown):
                    self.say("info", info)
                    self.stages(**shown)
                    said = self.up()
                    self.assertTrue(said[0].startswith("warning: confd says that the database runs and accepts connections"), said)
                    self.assertTrue(said[-1].startswith("ready: "), said)

    def test_what_does_not_take_connections_is_not_up(self):
        self.stages(n11="c")
        self.say("listens")
        for info in ('{"state": "running", "connectible": "No"}', '{"state": "setup", "connectible": "Yes"}', ""):
            self.say("info", info)
            self.assertEqual(self.up()[-1], "waiting: n11=c")
        (self.node.root / "listens").unlink()
        self.say("info", '{"state": "running", "connectible": "Yes"}')
        self.assertEqual(self.up()[-1], "waiting: n11=c")

    def test_a_start_that_takes_longer_than_its_answer_is_none_that_failed(self):
        self.stages(n11="c")
        self.say("states", "setup\n")
        self.say("start-is-slow")
        for _ in range(6):
            self.assertEqual(self.up()[-1], "waiting: n11=c")
        self.assertEqual(len(self.node.called("confd_client db_start")), 1)

    def test_a_port_that_never_answers_is_not_waited_for(self):
        for script in ("certificate.sh",):
            (self.node.lib / script).write_bytes((SCRIPTS / script).read_bytes())
        self.node.program("openssl", 'case $1 in s_client) exec /bin/sleep 600 ;; esac\ncat\n')
        self.node.program("timeout", 'echo "$*" >>"$ROOT/limits"; case $* in *openssl*) exit 124 ;; esac\n'
                          'while [ "${1#-}" != "$1" ]; do shift 2; done; shift; exec "$@"\n')
        self.stages(n11="c")
        self.assertEqual(self.up()[-1], "waiting: n11=c")
        self.assertIn("openssl", (self.node.root / "limits").read_text())

    def test_what_c4_says_on_stderr_is_told(self):
        self.stages(n11="b")
        self.say("ps-error", "INFO asking\nERRO n12: no answer within 3000 ms\n")
        self.assertEqual(self.up(), ["waiting: n11=b (c4: ERRO n12: no answer within 3000 ms)"])
        kept = self.node.home / ".exasol-c4-errors.log"
        self.assertIn("INFO asking", kept.read_text())
        self.assertEqual(stat.S_IMODE(kept.stat().st_mode), 0o600)

    def stuck(self):
        self.stages(n11="c")
        self.up()
        self.node.pass_time(120)
        return self.up()

    def test_without_memory_the_mending_is_told(self):
        self.say("info", '{"state": "startup", "connectible": "No", "config": {"mem_size": "0 MiB", "port": 8563}}')
        self.say("calculated", "2816\n")
        log = self.node.home / ".ccc/play/local/id/main/11/data/logs/cored/exainit.log"
        log.parent.mkdir(parents=True)
        log.write_text("".join(f"stage{number}\n" for number in range(1, 9)) + "password: very secret\n")
        self.stages(n11="c")
        self.assertEqual(self.up(), ["waiting: n11=c"])
        said = self.stuck()
        self.assertEqual(said[0], "stuck: Exasol is 'startup', its mem_size is '0 mib'")
        self.assertIn("stuck: exainit.log: stage8", said)
        self.assertNotIn("secret", "".join(said))
        for command in (
            "exasol ssh n11-cos -- confd_client db_stop db_name: Exasol;",
            "exasol ssh n11-cos -- confd_client db_configure db_name: Exasol mem_size: '2816 MiB';",
            "exasol ssh n11-cos -- confd_client db_start db_name: Exasol",
        ):
            self.assertIn(command, said[-1])
        self.stages(n11="b")
        self.assertEqual(self.up(), ["waiting: n11=b"])

    def test_a_database_that_cannot_start_says_why(self):
        self.stages(n11="c")
        self.say("states", "Setup\n")
        self.say("info", '{"state": "Setup", "config": {"mem_size": "0 MiB"}}')
        self.say("calculated", "2816\n")
        self.up()
        self.node.pass_time(60)
        self.say("start-fails")
        run = self.node.run("database.sh", "up")
        self.assertEqual(run.returncode, 1)
        self.assertTrue(run.stderr.startswith("error: Exasol does not start (confd_client db_start: db_start: no memory). "))
        self.assertIn("db_configure db_name: Exasol mem_size: '2816 MiB'; exasol ssh n11-cos -- confd_client db_start", run.stderr)
        # It is down already.
        self.assertNotIn("db_stop", run.stderr)

    def test_a_size_that_c4_does_not_know_is_not_made_up(self):
        self.say("info", "config:\n  mem_size: 0\nstate: startup\n")
        for nonsense in ("", "usage: c4\n", "512\n"):
            self.say("calculated", nonsense)
            self.assertIn("mem_size: 'N MiB'", self.stuck()[-1])

    def test_memory_that_is_there_is_not_mended(self):
        self.say("info", '{"state": "startup", "connectible": "No", "config": {"mem_size": "2048 MiB"}}')
        self.assertEqual(self.stuck(), ["stuck: Exasol is 'startup', its mem_size is '2048 mib'", "waiting: n11=c"])


class Stop(Case):
    def stop(self, code=0):
        run = self.node.run("database.sh", "stop")
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return run.stdout.strip() + run.stderr.strip()

    def stops(self):
        return len(self.node.called("confd_client db_stop"))

    def test_a_running_database(self):
        self.say("states", "running\nstopping\nsetup\n")
        self.assertEqual(self.stop(), "Exasol: running, now setup")
        self.assertEqual(self.stops(), 1)

    def test_what_goes_down_is_not_stopped_again(self):
        for word in ("stopping", "shutdown", "Shutdown"):
            self.say("states", f'"{word}"\n"{word}"\n"Setup"\n')
            self.say("stop-fails")
            self.assertEqual(self.stop(), f"Exasol: {word.lower()}, now setup")
        self.assertEqual(self.stops(), 0)

    def test_what_starts_may_end_that_first(self):
        for word in ("starting", "Startup"):
            self.say("states", f"{word}\n{word}\nrunning\nstopping\nsetup\n")
            before = self.stops()
            self.assertEqual(self.stop(), f"Exasol: {word.lower()}, now setup")
            self.assertEqual(self.stops(), before + 1)
            self.assertNotEqual((self.node.root / "stopped-at").read_text().strip(), word)
        # It is stopped even so, after a while.
        self.say("states", "startup\n" * 140 + "setup\n")
        self.stop()
        self.assertEqual(self.stops(), 3)

    def test_a_refusal_is_none_where_it_goes_down_anyway(self):
        self.say("stop-fails")
        self.say("states", "running\nshutdown\nsetup\n")
        self.assertEqual(self.stop(), "Exasol: running, now setup")
        self.say("states", "running\n")
        self.assertIn("Exasol does not stop (confd_client db_stop: db_stop: not now)", self.stop(1))

    def test_no_database_is_none_to_stop(self):
        self.say("list", "[]\n")
        self.stages(n11="c")
        self.assertEqual(self.stop(), "no database runs: the nodes are at: n11=c")
        self.say("listens")
        self.assertIn("a database runs here, but confd", self.stop(1))

    def test_nothing_is_switched_off_under_a_database_that_cannot_be_asked(self):
        self.say("no-cos")
        self.stages(n11="a1")
        self.assertEqual(self.stop(), "no database runs: the nodes are at: n11=a1")
        self.say("listens")
        said = self.stop(1)
        self.assertIn("a database runs here, but confd", said)
        self.assertIn("c4 connect -i 0a1b2c3d: ERRO no deployment", said)
        self.assertIn("ssh cos: Connection refused", said)


class Services(Case):
    def check(self, *words, code=0):
        run = self.node.run("check-services.sh", *words)
        self.assertEqual(run.returncode, code, run.stderr)
        return [line for line in run.stdout.splitlines() if "mDNS" not in line], run.stderr

    def starts(self):
        return [call for call in self.node.called("systemctl") if " start " in call]

    def test_an_admin_ui_that_never_comes_is_a_warning(self):
        self.say("exasol-admin-ui.service", "inactive")
        for words in ((), ("admin-ui",)):
            said, _ = self.check(*words)
            self.assertEqual(len(said), 1, said)
            self.assertTrue(said[0].startswith("warning: the Admin UI does not run (exasol-admin-ui.service: inactive)"))
        self.assertEqual(len(self.starts()), 2)

    def test_an_admin_ui_is_started_once(self):
        self.say("exasol-admin-ui.service", "inactive")
        self.say("starts")
        self.assertEqual(self.check()[0], [])
        self.assertEqual(self.starts(), ["systemctl --no-block start exasol-admin-ui.service"])

    def test_one_that_dies_in_its_first_second_does_not_run(self):
        self.say("exasol-admin-ui.service", "inactive")
        self.say("dies")
        said, _ = self.check("admin-ui")
        self.assertEqual(len(said), 1, said)
        self.assertIn("(exasol-admin-ui.service: failed)", said[0])

    def test_it_is_not_started_without_c4(self):
        self.say("exasol-admin-ui.service", "inactive")
        self.say("c4.service", "inactive")
        self.check("admin-ui")
        self.assertEqual(self.starts(), [])

    def test_c4_itself_has_to_run(self):
        self.say("c4.service", "failed")
        self.assertIn("error: not running: c4.service (failed)", self.check(code=1)[1])


class Install(Case):
    def setUp(self):
        super().setUp()
        (self.node.release / "config").write_text(CONFIG)
        self.stages()

    def release_c4(self, text):
        self.node.program("c4", text, place=self.node.release)
        self.node.program("c4", C4)

    def install(self, word, code=0, limit=60):
        run = self.node.run("install-cluster.sh", word, limit=limit)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return run.stdout + run.stderr

    def test_a_play_is_noted(self):
        self.release_c4("exit 0\n")
        self.assertEqual(self.install("play"), "changed: installed\n")
        self.assertEqual(self.install("play"), "unchanged: installed before\n")
        self.assertEqual(len(self.node.called("c4 host play")), 1)
        self.assertEqual(len(self.node.called("c4 config -i config -V")), 1)

    def test_a_play_is_not_repeated_under_a_database_that_runs(self):
        self.release_c4("exit 1\n")
        self.install("play", code=1)
        self.say("listens")
        self.say("info", '{"state": "running", "connectible": "Yes"}')
        self.stages(n11="a1")
        self.assertEqual(self.install("play"), "changed: installed\n")
        self.assertEqual(len(self.node.called("c4 host play")), 1)

    def test_what_a_play_leaves_behind_holds_nothing(self):
        self.release_c4('case $* in host*) sh -c \'while [ ! -e "$ROOT/end" ]; do :; /bin/sleep 0.1; done\' & ;; esac\n')
        try:
            self.install("play")
            # Whoever holds the lock would be waited for.
            self.install("play", limit=30)
        finally:
            self.say("end")

    def test_a_play_whose_session_was_cut_off_still_holds_the_lock(self):
        self.release_c4('case $* in host*) : >"$ROOT/begun"; until [ -e "$ROOT/end" ]; do /bin/sleep 0.1; done ;; esac\n')
        script = '"$LIB/install-cluster.sh" play & until [ -e "$ROOT/begun" ]; do /bin/sleep 0.1; done; kill -HUP $!; wait $! || true'
        self.node.run(script)
        lock = self.node.release / ".play.lock"
        try:
            held = subprocess.run(["flock", "-n", lock, "true"])
            self.assertEqual(held.returncode, 1)
        finally:
            self.say("end")
        subprocess.run(["flock", "-w", "30", lock, "true"], check=True)

    def test_a_lock_that_never_comes_free_is_told(self):
        self.release_c4("exit 0\n")
        self.node.program("flock", "exit 1\n")
        (self.node.release / ".play.pid").write_text("4711\n")
        said = self.install("play", code=1)
        self.assertIn("another play has held", said)
        self.assertIn("process 4711", said)
        self.assertEqual(self.node.called("c4 host"), [])

    def test_a_configuration_that_c4_does_not_like_is_a_warning_without_values(self):
        refusal = "echo \"ERRO CCC_PLAY_DB_PASSWORD='very secret' is not known\" >&2; echo 'INFO CCC_PLAY_TIMEOUT=30m'; exit 1"
        self.release_c4(f"case $* in config*) {refusal} ;; esac\n")
        said = self.install("play")
        self.assertIn("warning: c4 does not accept its configuration", said)
        self.assertIn("because of CCC_PLAY_DB_PASSWORD;", said)
        self.assertNotIn("secret", said)
        self.assertIn("changed: installed", said)
        log = self.node.release / "config.log"
        self.assertIn("very secret", log.read_text())
        self.assertEqual(stat.S_IMODE(log.stat().st_mode), 0o600)

    def test_a_download_in_spite_of_the_archive_is_a_warning(self):
        self.release_c4("echo 'INFO[x] Fetching Exasol packages: taken from /home/exasol/exasol-release/a.tar.gz'\n")
        self.assertNotIn("warning", self.install("play"))
        (self.node.release / "play.done").unlink()
        self.release_c4("echo 'INFO[x] Fetching https://x-up.s3.amazonaws.com/releases/a.tar.gz?token=very-secret'\n")
        said = self.install("play")
        self.assertIn("warning: c4 fetched packages from https://x-up.s3.amazonaws.com, although", said)
        self.assertNotIn("secret", said)

    def test_another_configuration_is_refused_after_a_play(self):
        self.release_c4("exit 0\n")
        self.install("play")
        (self.node.release / "config").write_text(CONFIG + "CCC_AWS_PROFILE=none\n")
        self.assertIn("by an earlier exasol", self.install("diag", code=1))


    def test_a_record_that_a_power_failure_destroyed_is_written_again(self):
        self.release_c4("exit 0\n")
        self.install("play")
        done = self.node.release / "play.done"
        whole = done.read_bytes()
        for broken in (b"", bytes(len(whole)), whole[:30] + bytes(len(whole) - 30)):
            done.write_bytes(broken)
            self.install("play")
            self.assertEqual(done.read_bytes(), whole)


class Upgrade(unittest.TestCase):
    """A cluster that an earlier exasol installed: its configuration had other lines."""

    def lay_down(self, installed):
        node = FakeNode(self)
        system = node.root / "system"
        release = system / "home/exasol/exasol-release"
        release.mkdir(parents=True)
        (release / "play.done").write_text(hashlib.sha256(b"earlier lines").hexdigest() + "  -\n")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, text in {
                "etc/exasol-deployer/node.conf": f"NODE=n11\nINSTALLED={installed}\n",
                "home/exasol/exasol-release/config": CONFIG,
            }.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        script = (SCRIPTS / "prepare-node.sh").read_text()
        script = script.replace("top=/\n", f"top={system}/\n")
        script = script.replace('main "${1-}"\n', "lay_down\n")
        script += "#--- files of this node, tar in base64 ---\n" + base64.encodebytes(buffer.getvalue()).decode()
        (node.lib / "prepare-node.sh").write_text(script)
        run = node.run("prepare-node.sh")
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout, (release / "config").exists()

    def test_what_was_installed_is_not_installed_again(self):
        said, laid_down = self.lay_down("yes")
        self.assertIn("installed\n", said)
        self.assertFalse(laid_down)

    def test_what_was_not_is(self):
        said, laid_down = self.lay_down("no")
        self.assertNotIn("installed\n", said)
        self.assertTrue(laid_down)


if __name__ == "__main__":
    unittest.main()
