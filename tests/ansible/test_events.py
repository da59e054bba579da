"""The callback plugin by itself; needs no Ansible. Run: python3 -m unittest discover tests/ansible"""

import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

PLUGIN = pathlib.Path(__file__).parents[2] / "ansible" / "callback_plugins" / "events.py"


def load():
    """The plugin, with an empty class in the place of Ansible's base class."""
    base = types.ModuleType("ansible.plugins.callback")
    base.CallbackBase = type("CallbackBase", (), {"__init__": lambda self: None})
    names = {"ansible": types.ModuleType("ansible"), "ansible.plugins": types.ModuleType("ansible.plugins")}
    with mock.patch.dict(sys.modules, {**names, "ansible.plugins.callback": base}):
        spec = importlib.util.spec_from_file_location("events", PLUGIN)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


events = load()


class Named:
    def __init__(self, name, uuid="u1", **attributes):
        self._name, self._uuid = name, uuid
        self.__dict__.update(attributes)

    def get_name(self):
        return self._name


def result(data, task=None, node="n11"):
    return types.SimpleNamespace(_result=data, _task=task or Named("Install"), _host=Named(node))


def told(secrets, *calls):
    """The events that a plugin tells when it is called so."""
    out = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(secrets, file)
        file.flush()
        with mock.patch.dict(os.environ, {"EXASOL_ANSIBLE_SECRETS": file.name}):
            plugin = events.CallbackModule()
        # Short writes must not lose anything.
        with mock.patch.object(os, "write", lambda fd, data: out.write(data[:7])):
            for name, *args in calls:
                getattr(plugin, name)(*args)
    return [json.loads(line) for line in out.getvalue().splitlines()]


class Results(unittest.TestCase):
    def test_a_script_can_warn_although_all_is_well(self):
        done = result({"stdout": "changed: x\r\nwarning: no mDNS name\n", "rc": 0})
        first, second = told([], ("v2_runner_on_ok", done))
        self.assertEqual(first, {"event": "warning", "message": "n11: no mDNS name"})
        self.assertNotIn("stdout", second)

    def test_a_result_has_state_and_time_but_no_data(self):
        task = Named("Install")
        started, ended = told(
            [],
            ("v2_runner_on_start", Named("n11"), task),
            ("v2_runner_on_ok", result({"changed": True, "stdout": "data", "invocation": {"x": 1}}, task)),
        )
        self.assertEqual(started, {"event": "start", "task": "Install", "node": "n11"})
        self.assertGreaterEqual(ended.pop("elapsed_ms"), 0)
        self.assertEqual(ended, {"event": "result", "task": "Install", "node": "n11", "state": "changed"})

    def test_a_failure_has_its_cause(self):
        (failed,) = told([], ("v2_runner_on_failed", result({"msg": "non-zero return code", "rc": 3, "stderr": "a\n\nb\n"})))
        self.assertEqual((failed["message"], failed["stderr"], failed["rc"]), ("non-zero return code", ["a", "b"], 3))
        self.assertNotIn("ignored", failed)

    def test_of_a_script_the_output_is_told_not_sshs_good_bye(self):
        data = {"msg": "x", "rc": 5, "stderr": "Shared connection to 10.0.0.1 closed.\r\n", "stdout": "out\r\nno space\r\n"}
        (failed,) = told([], ("v2_runner_on_failed", result(data)))
        self.assertEqual(failed["stderr"], ["out", "no space"])

    def test_of_a_loop_the_first_failed_item_is_told(self):
        item, whole = result({"msg": "item 2 is wrong"}), result({"msg": "One or more items failed"})
        (failed,) = told([], ("v2_runner_item_on_failed", item), ("v2_runner_on_failed", whole))
        self.assertEqual(failed["message"], "item 2 is wrong")

    def test_what_is_long_is_cut(self):
        data = {"msg": "x" * 10_000, "stderr": "\n".join(f"{n} " + "y" * 1000 for n in range(100))}
        (failed,) = told([], ("v2_runner_on_failed", result(data)))
        self.assertEqual((len(failed["message"]), len(failed["stderr"])), (events.MAX_MESSAGE, events.MAX_LINES))
        self.assertTrue(failed["stderr"][-1].startswith("99 ") and len(failed["stderr"][-1]) == events.MAX_LINE)

    def test_a_secret_across_the_cut_is_hidden_too(self):
        secret = "correct horse battery staple"
        for limit in (events.MAX_LINE, events.MAX_MESSAGE):
            words = "x" * (limit - 10) + secret
            [failed] = told([secret], ("v2_runner_on_failed", result({"msg": words, "stderr": words})))
            self.assertNotIn("correct", json.dumps(failed))

    def test_messages_of_any_kind_become_text(self):
        self.assertEqual(events.cause({"msg": ["a", 1, None]})["message"], "a; 1;")
        self.assertEqual(events.cause({})["message"], "failed without a message")
        self.assertEqual(events.cause({"module_stderr": "Traceback\nValueError: x"})["message"], "ValueError: x")


class Start(unittest.TestCase):
    """A playbook that `exasol` has started before the machines are ready."""

    def begin(self, told):
        """The exit status of a process that calls the plugin's first method with this on its standard input."""
        code = "import sys, test_events; test_events.events.CallbackModule().v2_playbook_on_start(None); sys.exit(7)"
        environment = {**os.environ, "EXASOL_ANSIBLE_WAITS": "yes", "PYTHONDONTWRITEBYTECODE": "1"}
        here = pathlib.Path(__file__).parent
        return subprocess.run([sys.executable, "-c", code], cwd=here, input=told, env=environment, timeout=60).returncode

    def test_it_begins_after_a_line(self):
        self.assertEqual(self.begin(b"go\n"), 7)

    def test_it_ends_when_exasol_is_gone(self):
        self.assertEqual(self.begin(b""), 1)


class Secrets(unittest.TestCase):
    def test_known_secrets_are_hidden_wherever_they_stand(self):
        task = Named("Set tiger")
        (failed,) = told(
            ["tiger", "tiger\"s \\tail", ""],
            ("v2_runner_on_failed", result({"msg": "no tiger\"s \\tail here", "stderr": "tiger"}, task)),
        )
        self.assertEqual(failed["message"], "no ******** here")
        self.assertEqual((failed["stderr"], failed["task"]), (["********"], "Set ********"))

    def test_a_secret_that_is_an_ordinary_word_breaks_nothing(self):
        (failed,) = told(["failed", "n11", "l"], ("v2_runner_on_failed", result({"msg": "all failed", "rc": 1})))
        self.assertEqual((failed["event"], failed["state"], failed["node"]), ("result", "failed", "n11"))
        self.assertNotIn("l", failed["message"])

    def test_of_a_quiet_task_nothing_is_told(self):
        for data in ({"censored": "hidden", "stderr": "x"}, {"_ansible_no_log": True, "msg": "x", "stderr": "x"}):
            (failed,) = told([], ("v2_runner_on_failed", result(data)))
            self.assertEqual(failed["message"], events.WITHHELD)
            self.assertNotIn("stderr", failed)


class Rescue(unittest.TestCase):
    def test_a_failure_in_a_block_with_rescue_is_caught_and_one_in_its_rescue_is_not(self):
        inner, mending = Named("inner", "i"), Named("mending", "m")
        block = types.SimpleNamespace(block=[inner], rescue=[mending], _parent=None, _uuid="b")
        nested = types.SimpleNamespace(block=[block], rescue=[], _parent=None, _uuid="c")
        inner._parent = mending._parent = block
        block._parent = nested
        self.assertTrue(events.has_rescue(inner))
        self.assertFalse(events.has_rescue(mending))
        self.assertFalse(events.has_rescue(Named("alone")))


if __name__ == "__main__":
    unittest.main()
