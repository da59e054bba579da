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

    def none(self, problems):
        lines = [f"{document.path.relative_to(ROOT)}:{line}: {words}" for document, line, words in problems]
        if lines:
            self.fail("\n" + "\n".join(lines))


if __name__ == "__main__":
    unittest.main()
