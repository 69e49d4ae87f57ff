"""A rule that says that it was written before its numbers was: the history is asked, where it is there."""

from pathlib import Path

import pytest
import yaml

from book.tools import claims
from tests.book import history

ROOT = Path(__file__).resolve().parents[2]
RULE = {"written": "before", "effects": {"gain": {"study": "small", "arm": "a"}}, "holds": ["gain above 0"]}


@pytest.mark.skipif(not history.whole(ROOT), reason="the history is not there")
def test_what_says_that_it_was_written_before_was():
    for claim in claims.read(ROOT / "book" / "claims.yml"):
        if claim.rule and claim.rule["written"] == "before":
            assert history.before_the_tables(ROOT, claim.number, claim.rule), (
                f"the rule of claim {claim.number} is not the one that stood before its tables: say in `written` what "
                "happened"
            )


@pytest.fixture
def checkout(tmp_path):
    """Return what commits a rule, a table, or both."""
    history.git(tmp_path, "init", "-q")
    (tmp_path / "book").mkdir()
    (tmp_path / "results" / "small").mkdir(parents=True)

    def commit(rule: dict | None = None, table: str | None = None):
        if rule:
            (tmp_path / history.CLAIMS).write_text(yaml.safe_dump([{"number": 1, "rule": rule}]))
        if table:
            (tmp_path / "results" / "small" / "table.csv").write_text(table)
        history.git(tmp_path, "add", "-A")
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        assert history.git(tmp_path, *who, "commit", "-m", "a change")

    return tmp_path, commit


def test_a_rule_that_stood_before_its_table_is_told_from_others(checkout):
    root, commit = checkout
    commit(RULE)
    assert history.before_the_tables(root, 1, RULE), "the table is still to come"
    commit(table="a\n1\n")
    assert history.before_the_tables(root, 1, RULE)
    commit(table="a\n2\n")
    assert history.before_the_tables(root, 1, RULE | {"written": "otherwise"}), "what it says of itself is no rule"
    assert not history.before_the_tables(root, 1, RULE | {"holds": ["gain above 1"]})
    assert not history.before_the_tables(root, 2, RULE)


def test_a_rule_that_came_with_its_table_or_after_it_was_not_before(checkout):
    root, commit = checkout
    commit({**RULE, "holds": ["gain above 3"]})
    commit(RULE, table="a\n1\n")
    assert not history.before_the_tables(root, 1, RULE)
    assert history.before_the_tables(root, 1, {**RULE, "holds": ["gain above 3"]})
