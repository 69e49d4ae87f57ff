"""The post's sentences as digests: what quotations are held against where the post's text is not at hand.

The post belongs to its author, so the repository quotes it and does not copy it. ``tests/post.csv`` has a row for each
sentence, list item's opening and table row of the post: its section, its number there, what it is, the SHA-256 of its
normalized words, and whether it claims something. ``PHYSNN_POST=/folder/post.md python -m tests.quotations`` writes the
rows again from the post, and keeps what is said about the sentences that it has seen before.
"""

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

DIGESTS = Path(__file__).parent / "post.csv"
ITEM = re.compile(r"(?:[-*]|\d+\.) +(.*)")
OPENING = re.compile(r"\*\*(.+?):?\*\*:? *(.*)")


class Sentence(NamedTuple):
    section: str
    number: int
    kind: str  # row | opening | sentence
    digest: str
    claims: str  # yes | no, by judgement; "" where nobody has judged


def normalized(words: str) -> str:
    """Return the words without the marks of Markdown, with single spaces."""
    return " ".join(words.replace("**", "").replace("`", "").split())


def digest(words: str) -> str:
    return hashlib.sha256(normalized(words).encode()).hexdigest()


def split(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [part for part in re.split(r"(?<=[.?!:])\s+", text.strip()) if normalized(part)]


def sentences(post: str) -> Iterator[tuple[str, str, str]]:
    """Yield the section, the kind and the words of every sentence of the post, without its code and formulas."""
    body = re.sub(r"\A---.*?^---$", "", post, flags=re.DOTALL | re.MULTILINE)
    for pattern in (r"^```.*?^```$", r"<script.*?</script>", r"^\s*\$\$.*?\$\$\s*$"):
        body = re.sub(pattern, "", body, flags=re.DOTALL | re.MULTILINE)
    section, title_row = "", True
    for line in map(str.strip, body.splitlines()):
        if line.startswith("#"):
            section, title_row = normalized(line.lstrip("#")), True
        elif line.startswith("|"):
            if title_row or re.fullmatch(r"[|\s:-]+", line):
                title_row = False
            else:
                yield section, "row", " | ".join(cell.strip() for cell in line.strip("|").split("|"))
        elif line:
            item = ITEM.match(line)
            opening = OPENING.fullmatch(item[1]) if item else None
            if opening:
                yield section, "opening", opening[1].rstrip(":")
            for sentence in split(opening[2] if opening else item[1] if item else line):
                yield section, "sentence", sentence


def digested(post: str, judged: Iterable[Sentence] = ()) -> list[Sentence]:
    """Return the rows of a post, each with what ``judged`` says of the same words."""
    known = {(sentence.section, sentence.digest): sentence.claims for sentence in judged}
    rows, count = [], {}
    for section, kind, words in sentences(post):
        count[section] = number = count.get(section, 0) + 1
        rows.append(Sentence(section, number, kind, digest(words), known.get((section, digest(words)), "")))
    return rows


def on_file() -> list[Sentence]:
    """Return the committed rows."""
    with DIGESTS.open(encoding="utf-8", newline="") as file:
        return [Sentence(**{**row, "number": int(row["number"])}) for row in csv.DictReader(file)]


def main() -> None:
    post = Path(os.environ["PHYSNN_POST"]).read_text(encoding="utf-8")
    rows = digested(post, on_file() if DIGESTS.exists() else ())
    with DIGESTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([Sentence._fields, *rows])
    for row, (_, _, words) in zip(rows, sentences(post), strict=True):
        if not row.claims:
            print(f"{row.section}, {row.number}: does it claim something? {words}")


if __name__ == "__main__":
    main()
