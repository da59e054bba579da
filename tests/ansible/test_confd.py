"""How node/confd.sh finds its way to confd. Run: python3 -m unittest discover tests/ansible"""

import stat
import unittest

from fake_node import FakeNode

ASK = '. "$ROOT/node.conf"; . "$LIB/c4.sh"; . "$LIB/confd.sh"; confd "$@"'
# What is installed: `id` answers `config -e .play.id`, `table` is printed by `ps`, and `connect` lets ids in `good` in.
C4 = r"""
case "$*" in
  "config -e .play.id") cat "$ROOT/id"; [ ! -e "$ROOT/id-fails" ] || { echo 'FATA no such play' >&2; exit 1; } ;;
  ps) cat "$ROOT/table" ;;
  "connect -s cos -i "*)
    shift 4
    grep -qxF -e "$1" "$ROOT/good" || { echo "no such play"; echo "ERRO no deployment $1" >&2; exit 1; }
    shift 2
    [ "$*" = "confd_client db_list -j" ] || cat
    exec sh -c "$*" ;;
  *) exit 2 ;;
esac
"""
CONFD = r"""
case "$*" in
  "db_list -j") echo '["Exasol"]' ;;
  "db_stop "*) echo "db_stop: the database is busy" >&2; exit 1 ;;
  *) echo "did $*" ;;
esac
"""
SSH = r"""
case "$*" in *" cos -- "*) ;; *) exit 2 ;; esac
[ -e "$ROOT/cos-open" ] || { echo "root@localhost: Permission denied (publickey)." >&2; exit 255; }
while [ "$1" != -- ]; do shift; done
shift
exec sh -c "$*"
"""
TABLE = " N  PLAY_ID   NODE  STAGE  UPTIME\n│1│ c0d416e7 │ n11 │ d │ 12345s │\n"


class Ways(unittest.TestCase):
    def setUp(self):
        self.node = FakeNode(self)
        self.node.c4(C4)
        self.node.program("confd_client", CONFD)
        self.node.program("ssh", SSH)
        self.say("id", '"0a1b2c3d"\n')
        self.say("table", "")
        self.say("good", "")

    def say(self, name, text=""):
        (self.node.root / name).write_text(text)

    def ask(self, *words, **rest):
        return self.node.run(ASK, *words, **rest)

    def succeeds(self, way):
        run = self.ask("db_state", "-j", "db_name: Exasol")
        # The second shell has read it: two words.
        self.assertEqual((run.stdout, run.returncode), ("did db_state -j db_name: Exasol\n", 0), run.stderr)
        self.assertEqual((self.node.home / ".exasol-confd-way").read_text().strip(), way)

    def test_the_play_id_leads_there_and_is_remembered(self):
        self.say("good", "0a1b2c3d\n")
        self.succeeds("play 0a1b2c3d")
        before = len(self.node.called("c4"))
        self.succeeds("play 0a1b2c3d")
        self.assertEqual(len(self.node.called("c4")), before + 1)

    def test_what_is_no_play_id_is_not_tried(self):
        self.say("good", "c0d416e7\n")
        self.say("table", TABLE)
        for wrong in ("", "null\n", "not there\n", "6f1c2c1e-0000-4000-8000-000000000000\n"):
            with self.subTest(wrong):
                self.say("id", wrong)
                self.succeeds("ps c0d416e7")
                (self.node.home / ".exasol-confd-way").unlink()
        self.assertFalse(any("-i null" in call for call in self.node.called("c4 connect")))

    def test_a_play_id_that_cannot_be_asked(self):
        self.say("id-fails")
        self.say("id", "")
        self.say("good", "1\n")
        self.succeeds("1")

    def test_last_the_nodes_own_ssh(self):
        self.say("cos-open")
        self.succeeds("ssh")

    def test_without_a_way_every_failure_is_told(self):
        self.say("table", TABLE)
        run = self.node.run(ASK + " || echo code $?; confd_failure", "db_list", "-j")
        self.assertEqual(
            run.stdout,
            "code 69\nc4 connect -i 0a1b2c3d: ERRO no deployment 0a1b2c3d; c4 connect -i c0d416e7: ERRO no deployment "
            "c0d416e7; c4 connect -i 1: ERRO no deployment 1; ssh cos: root@localhost: Permission denied (publickey).\n",
            run.stderr,
        )

    def test_a_job_that_fails_is_run_once(self):
        self.say("good", "0a1b2c3d\n1\n")
        self.succeeds("play 0a1b2c3d")
        run = self.ask("db_stop", "db_name: Exasol")
        self.assertEqual(run.returncode, 1)
        self.assertEqual(len(self.node.called("confd_client db_stop")), 1)

    def test_what_a_way_that_fails_prints_is_no_answer(self):
        self.say("good", "1\n")
        self.assertEqual(self.ask("db_list", "-j").stdout, '["Exasol"]\n')
        (self.node.home / ".exasol-confd-way").write_text("play 0a1b2c3d\n")
        self.assertEqual(self.ask("db_list", "-j").stdout, '["Exasol"]\n')

    def test_a_way_that_fails_is_not_looked_for_again_and_again(self):
        once = self.node.run("CONFD_ONCE=yes; " + ASK + "; true", "db_list", "-j")
        before = len(self.node.called("c4"))
        again = self.node.run("CONFD_ONCE=yes; " + ASK, "db_list", "-j")
        self.assertEqual((again.returncode, len(self.node.called("c4"))), (69, before), once.stderr)
        self.say("good", "1\n")
        self.succeeds("1")

    def test_a_way_that_has_ended_is_left(self):
        self.say("good", "0a1b2c3d\n")
        self.succeeds("play 0a1b2c3d")
        self.say("good", "1\n")
        self.succeeds("1")

    def test_input_arrives_once_and_whole(self):
        self.say("good", "0a1b2c3d\n")
        for _ in range(2):
            run = self.ask("license_upload", "license:", stdin="")
            self.assertIn("did license_upload license:", run.stdout)
            run = self.node.run("CONFD_STDIN=yes; " + ASK, "license_upload", "license:", stdin="a licence")
            self.assertEqual(run.stdout, "a licencedid license_upload license:\n", run.stderr)

    def test_what_c4_says_is_kept_short_and_private(self):
        many = self.node.home / ".exasol-c4-errors.log"
        many.write_text("old\n" * 20000)
        many.chmod(0o600)
        self.ask("db_list", "-j")
        self.assertEqual(stat.S_IMODE(many.stat().st_mode), 0o600)
        self.assertLess(many.stat().st_size, 65536)
        self.assertIn("ERRO no deployment 1", many.read_text())
        self.assertTrue(all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in self.node.home.iterdir()))


if __name__ == "__main__":
    unittest.main()
