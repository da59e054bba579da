"""The recipes: what must hold in them, beyond their syntax."""

import pathlib
import unittest

import yaml

CI = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/ci"
# A cluster for one command, and what destroys what a killed one has left.
RUN, CLEAN = "exasol run --cloud-provider", "exasol run --clean"
# Left out where the variable is empty.
CLOSED = '${RUNNER_CIDR:+--allowed-cidr "$RUNNER_CIDR"}'


def load(name):
    # PyYAML takes `on:` for a boolean, as YAML 1.1 says.
    return yaml.safe_load((CI / name).read_text(encoding="utf-8"))


class Github(unittest.TestCase):
    def test_every_job_destroys_also_when_it_failed_or_was_cancelled(self):
        for name, job in load("github.yml")["jobs"].items():
            with self.subTest(job=name):
                steps = job["steps"]
                run = next(i for i, step in enumerate(steps) if RUN in step.get("run", ""))
                destroy = next(i for i, step in enumerate(steps) if CLEAN in step.get("run", ""))
                self.assertLess(run, destroy)
                self.assertEqual(steps[destroy]["if"], "always()")
                logs = steps[-1]
                self.assertTrue(logs["uses"].startswith("actions/upload-artifact@"))
                self.assertEqual(logs["if"], "always()")
                # The shell is replaced, so that a cancellation's signal meets exasol.
                self.assertTrue(steps[run]["run"].startswith("exec "))
                self.assertIn("--logs cluster-logs", steps[run]["run"])
                self.assertEqual(logs["with"]["path"], "cluster-logs")
                # Two runs at the same time on one machine have two directories.
                self.assertIn("github.run_attempt", job["env"]["EXASOL_NAME"])
                self.assertIn("timeout-minutes", job)

    def test_a_newer_push_does_not_cut_a_run_short(self):
        self.assertEqual(load("github.yml")["concurrency"]["cancel-in-progress"], False)

    def test_a_cloud_can_be_closed_to_all_but_the_runner(self):
        cloud = load("github.yml")["jobs"]["cloud"]
        self.assertEqual(cloud["env"]["RUNNER_CIDR"], "${{ vars.RUNNER_CIDR }}")
        run = next(step["run"] for step in cloud["steps"] if RUN in step.get("run", ""))
        self.assertIn(CLOSED, run)

    def test_the_build_for_arm64_says_that_it_was_not_run(self):
        self.assertIn("NOT BUILT", (CI / "build-arm64.yml").read_text(encoding="utf-8"))
        self.assertEqual(load("build-arm64.yml")["jobs"]["package"]["runs-on"], "ubuntu-24.04-arm")


class Gitlab(unittest.TestCase):
    def test_every_job_destroys_also_when_it_failed_or_was_cancelled(self):
        recipe = load("gitlab-ci.yml")
        common = recipe.pop(".cluster")
        self.assertIn("$CI_JOB_ID", common["variables"]["EXASOL_NAME"])
        self.assertEqual(common["after_script"], [f"{CLEAN} --logs cluster-logs"])
        self.assertEqual(common["artifacts"]["when"], "always")
        self.assertTrue(recipe)
        for name, job in recipe.items():
            with self.subTest(job=name):
                self.assertEqual(job["extends"], ".cluster")
                self.assertNotIn("after_script", job)
                self.assertTrue(any(RUN in line for line in job["script"]))
                if "image" in job:
                    # after_script finds of a container only what is in the project's folder.
                    self.assertIn("$CI_PROJECT_DIR", job["variables"]["XDG_STATE_HOME"])
                self.assertTrue(all("--logs cluster-logs" in line for line in job["script"]))

    def test_a_cloud_can_be_closed_to_all_but_the_runner(self):
        self.assertTrue(any(CLOSED in line for line in load("gitlab-ci.yml")["cloud"]["script"]))

    def test_the_limits_fit_into_the_job(self):
        common = load("gitlab-ci.yml")[".cluster"]
        limit = int(common["timeout"].removesuffix(" minutes"))
        parts = [int(common["variables"][f"RUNNER_{name}_TIMEOUT"].removesuffix("m")) for name in ("SCRIPT", "AFTER_SCRIPT")]
        self.assertLess(sum(parts), limit)


if __name__ == "__main__":
    unittest.main()
