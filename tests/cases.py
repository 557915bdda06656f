"""The table of what goes wrong and of hostile input: a test marked ``case(name, says)`` is a row of tests/README.md.

``python -m pytest -m case --table`` runs these tests and writes the rows of those that passed into that file, between
the two marks. A plugin of tests/conftest.py.
"""

from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parent / "README.md"
START, END = "<!-- table -->\n", "<!-- end of the table -->\n"
HEAD = ("| Case | What happens | Test |", "| --- | --- | --- |")
results = pytest.StashKey[dict[tuple[str, str, str], bool]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that writes the table."""
    parser.addoption("--table", action="store_true", help="write what marked tests showed into tests/README.md")


def pytest_configure(config: pytest.Config) -> None:
    """The marker, and a place for what was seen."""
    config.addinivalue_line("markers", "case(name, says): a row of tests/README.md: what goes wrong, what happens then")
    config.stash[results] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The row travels with the test's report, from whichever process runs it."""
    for mark in item.iter_markers("case"):
        where = f"{item.path.relative_to(FILE.parent).as_posix()}::{item.originalname}"
        item.user_properties.append(("case", (*mark.args, where)))


class Seen:
    """What the process that writes sees of all reports."""

    def __init__(self, found: dict[tuple[str, str, str], bool]) -> None:
        self.found = found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A row passes if all tests of it pass; what was skipped shows nothing."""
        for name, row in report.user_properties:
            if name == "case" and (report.when == "call" or not report.passed):
                self.found[tuple(row)] = self.found.get(tuple(row), True) and report.passed


def pytest_sessionstart(session: pytest.Session) -> None:
    """Only the process that was asked for the table listens."""
    if session.config.getoption("--table") and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Seen(session.config.stash[results]))


def pytest_sessionfinish(session: pytest.Session, exitstatus: Any) -> None:
    """Write the table."""
    found = session.config.stash[results]
    if found:
        write(sorted(row for row, passed in found.items() if passed))


def lines(rows: list[tuple[str, str, str]]) -> str:
    """The table as markdown."""
    body = (f"| {name} | {says} | `{where}` |" for name, says, where in rows)
    return "\n".join((*HEAD, *body)) + "\n"


def write(rows: list[tuple[str, str, str]], file: Path = FILE) -> None:
    """Put the table between the marks of the file."""
    before, rest = file.read_text("utf-8").split(START)
    file.write_text(before + START + lines(rows) + END + rest.split(END)[1], encoding="utf-8")
