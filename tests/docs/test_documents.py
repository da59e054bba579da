"""Every document: shell blocks say whether a test runs them, links lead somewhere."""

import unittest

import links
from documents import ROOT, documents


class Documents(unittest.TestCase):
    def test_there_are_documents(self):
        names = {str(document.path.relative_to(ROOT)) for document in documents()}
        self.assertLessEqual({"README.md", "CLOUD_SETUP_LIBVIRT.md", "docs/first-cluster.md"}, names)

    def test_every_shell_block_says_whether_a_test_runs_it(self):
        self.none((d, line, words) for d in documents() for line, words in d.problems())

    def test_every_link_leads_somewhere(self):
        self.none((d, line, words) for d in documents() for line, words in links.problems(d, ROOT))

    def test_every_place_is_one_that_a_test_goes_to(self):
        """The unmarked blocks are run by run.py without a FILE, the guide's others by debian.py."""
        for document in documents():
            places = {None, "debian", "lab"} if document.path.name == "CLOUD_SETUP_LIBVIRT.md" else {None}
            self.assertLessEqual(document.places(), places, document.path)

    def none(self, problems):
        lines = [f"{document.path.relative_to(ROOT)}:{line}: {words}" for document, line, words in problems]
        if lines:
            self.fail("\n" + "\n".join(lines))


if __name__ == "__main__":
    unittest.main()
