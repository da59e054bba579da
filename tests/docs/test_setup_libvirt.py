"""The libvirt guide against the program: quoted messages exist, and every check is explained."""

import re
import unittest

import messages
from documents import ROOT
from markdown import HEADING, Document

GUIDE = Document(ROOT / "CLOUD_SETUP_LIBVIRT.md")
CHAPTER = "Troubleshooting"
CHECKS = re.compile(r"^Checks?: (?P<names>`[a-z_]+`(?:, `[a-z_]+`)*)|[Cc]heck (?P<name>`[a-z_]+`)", re.MULTILINE)


def entries():
    """{heading: text} of the chapter."""
    found, heading, inside = {}, None, False
    for _, line in GUIDE.prose:
        match = HEADING.match(line)
        if match and len(match["level"]) == 2:
            inside = match["text"] == CHAPTER
            heading = None
        elif match and inside:
            heading = match["text"]
            found[heading] = ""
        elif heading:
            found[heading] += line + "\n"
    return found


def quotes(text):
    return [line[2:].strip() for line in text.splitlines() if line.startswith("> ")]


class Troubleshooting(unittest.TestCase):
    def test_every_entry_quotes_a_message_and_names_its_check(self):
        self.assertGreater(len(entries()), 10)
        for heading, text in entries().items():
            self.assertTrue(quotes(text), heading)
            self.assertTrue(CHECKS.search(text), heading)

    def test_every_quoted_message_is_one_of_the_program(self):
        found = [quote for text in entries().values() for quote in quotes(text)]
        gone = [quote for quote in found if not messages.occurs(quote)]
        self.assertEqual(gone, [])

    def test_every_check_that_is_named_exists(self):
        for heading, text in entries().items():
            for match in CHECKS.finditer(text):
                for name in re.findall(r"`([a-z_]+)`", match[0]):
                    self.assertIn(name, messages.checks(), heading)


class Checks(unittest.TestCase):
    def test_the_checks_are_found_in_the_sources(self):
        self.assertLessEqual({"libvirt_connect", "kvm", "pool_room", "terraform", "ansible", "names"}, messages.checks())
        self.assertNotIn("credentials", messages.checks())

    def test_every_check_is_explained(self):
        text = "".join(entries().values())
        table = "\n".join(line for _, line in GUIDE.prose if line.startswith("|"))
        explained = {name for match in CHECKS.finditer(text) for name in re.findall(r"`([a-z_]+)`", match[0])}
        self.assertEqual(messages.checks() - explained, set())
        # An option that no check takes is not a part of the machine.
        self.assertEqual({name for name in messages.checks() - {"options"} if f"`{name}`" not in table}, set())


class Quotes(unittest.TestCase):
    def test_what_the_program_does_not_say_is_noticed(self):
        self.assertTrue(messages.occurs("the libvirt daemon is not running (/var/run/libvirt/libvirt-sock does not exist)"))
        self.assertTrue(messages.occurs("it has no DHCP range"))
        self.assertTrue(messages.occurs("user … is in group …, but this login session began before that"))
        for text in ["the libvirt daemon is asleep", "it has no DHCP rang3", "user … is in group …, but this session is old",
                     "the libvirt daemon is not running (/run/libvirt-sock does not exist)"]:
            self.assertFalse(messages.occurs(text), text)


class Distributions(unittest.TestCase):
    def test_the_table_says_that_debian_alone_is_run(self):
        """Blocks that are run are Debian's, or the lab's; the table at the head says the same."""
        self.assertEqual(GUIDE.places(), {"debian", "lab"})
        rows = [line for _, line in GUIDE.prose if line.startswith("| ") and "not run" in line]
        for name in ["Ubuntu", "RHEL", "Fedora", "openSUSE", "Arch Linux"]:
            self.assertTrue(any(row.startswith(f"| {name}") for row in rows), name)


if __name__ == "__main__":
    unittest.main()
