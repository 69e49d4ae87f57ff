"""What a result is made from: the files that code reaches by its imports, in physnn and beside a notebook.

Nothing is imported: the sources are read. An import leads to the module and to the ``__init__`` of every package on the
way; a name that a package imports when it is asked for (``_HOME`` in ``physnn`` and ``physnn.lab``) leads to the module
that holds it. Where the source does not tell, there is rather a file too many: a package that is handed on as a value
counts with all its names, code that cannot be read with the whole of physnn. Of a package whose modules are chosen by
name (``physnn.lab.training.tasks``), those count whose name is a string of the code, or all where none is. Scripts and
style sheets count with the modules beside them. Of other packages nothing counts: their versions are in the lock.
"""

import hashlib
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import physnn
from physnn.lab.running.source import References, references

PACKAGE = Path(physnn.__file__).parent
LEFT_OUT = {"__pycache__", "results"}  # folders in the package: of an installed one, results are inside


@dataclass
class Closure:
    """The files of a result, and what their code says.

    Attributes:
        files: path by name: ``physnn/lab/…``, or the name beside the notebook.
        code: what each module of it refers to, by the same names; the notebook's cells are ``""``.
    """

    files: dict[str, Path] = field(default_factory=dict)
    code: dict[str, list[References]] = field(default_factory=dict)

    @property
    def strings(self) -> set[str]:
        """All string constants of the code."""
        return {text for several in self.code.values() for each in several for text in each.strings}

    @property
    def patterns(self) -> set[str]:
        """Regular expressions of what strings may become that the code puts together."""
        return {pattern for several in self.code.values() for each in several for pattern in each.patterns}

    def naming(self, identifier: str) -> set[str]:
        """Return the modules whose code uses a name or an attribute."""
        return {name for name, several in self.code.items() if any(identifier in each.identifiers for each in several)}

    def digest(self) -> str:
        """Return the SHA-256 of all names and contents; line endings do not count."""
        return digest({name: path.read_bytes() for name, path in self.files.items()})


def digest(contents: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of named contents, in order of their names, with the line endings of Unix."""
    sha = hashlib.sha256()
    for name in sorted(contents):  # lengths keep neighbours apart
        content = contents[name].replace(b"\r\n", b"\n")
        sha.update(f"{name}\0{len(content)}\0".encode() + content)
    return sha.hexdigest()


def of_modules(*names: str | Path, chosen: Iterable[str] = (), package: Path = PACKAGE) -> Closure:
    """Return what modules are made from: of physnn, by their name or file, or files of elsewhere.

    Args:
        chosen: the modules of packages that are chosen by name; the strings of the code do not choose any then.

    Raises:
        ModuleNotFoundError: there is no module of such a name.
    """
    search = _Search(package, None)
    for name in names:
        if isinstance(name, Path) and name.is_relative_to(package):
            name = ".".join(["physnn", *name.relative_to(package).with_suffix("").parts])
        if isinstance(name, Path):
            search.found.files[name.name] = name
            search.read(name.name, _source(name), "")
        elif not search.follow(name):
            raise ModuleNotFoundError(f"there is no module {name} in {package}")
    return search.end(set(chosen), only=True)


def of_cells(
    cells: Iterable[str], folder: Path | None = None, names: Iterable[str] = (), package: Path = PACKAGE
) -> Closure:
    """Return what the code of a notebook is made from, without the cells themselves.

    Args:
        folder: the notebook's own; modules there that it imports count.
        names: strings that count as if they stood in the code, such as the values of its parameters.
    """
    search = _Search(package, folder)
    for cell in cells:
        search.read("", cell, "")
    return search.end(set(names), only=False)


def of_an_editor(name: str) -> bool:
    """Tell by its name whether a file is an editor's lock, backup or the like, and no source."""
    return name.startswith((".", "#")) or name.endswith("~")


class _Search:
    def __init__(self, package: Path, folder: Path | None) -> None:
        self.package, self.folder, self.found = package, folder, Closure()
        self.by_name: set[str] = set()
        # The same names come again and again.
        self._file, self._home, self._followed = cache(self._find_file), cache(self._find_home), cache(self._follow)

    def end(self, names: set[str], only: bool) -> Closure:
        """Follow what is chosen by name, until nothing new is found."""
        count = -1
        while count != len(self.found.files):
            count = len(self.found.files)
            chosen = names if only else names | self.found.strings
            for package in sorted(self.by_name):
                modules = {path.stem for path in (self.package.parent / package.replace(".", "/")).glob("*.py")}
                for name in sorted((modules & chosen) or (set() if only else modules)):
                    self.follow(f"{package}.{name}")
        return self.found

    def read(self, label: str, text: str, package: str) -> None:
        """Follow all that a piece of code refers to."""
        try:
            code = references(text, package)
        except SyntaxError:
            for path in self.package.rglob("*.py"):
                self.follow(".".join(["physnn", *path.relative_to(self.package).with_suffix("").parts]))
            return
        self.found.code.setdefault(label, []).append(code)
        self.by_name |= {name for name in code.packages if self._file(name)[1]}
        for dotted in sorted(code.dotted):
            self.follow(dotted)

    def follow(self, dotted: str) -> bool:
        """Add the modules on the way to a dotted name; tell whether the whole of it is a module."""
        return self._followed(dotted)

    def _follow(self, dotted: str) -> bool:
        parts = dotted.split(".")
        here = ""
        for i, part in enumerate(parts):
            is_package = self._file(here)[1] if here else True
            home = self._home(here) if here and is_package else {}
            if part == "*":
                for name in {*home.values()}:
                    self.follow(f"{here}.{name}")
                return False
            if part in home:
                self.follow(".".join([here, home[part], *parts[i + 1 :]]))
            there = f"{here}.{part}" if here else part
            if not is_package or self._file(there) == (None, False):
                return False
            self._add(there)
            here = there
        return True

    def _add(self, module: str) -> None:
        path, is_package = self._file(module)
        if path is None:
            return
        label = self._label(path)
        if label in self.found.files:
            return
        self.found.files[label] = path
        for beside in _beside(path.parent) if module.startswith("physnn") else ():
            self.found.files[self._label(beside)] = beside
        self.read(label, _source(path), module if is_package else module.rpartition(".")[0])

    def _find_file(self, module: str) -> tuple[Path | None, bool]:
        """Return a module's file, none where it is a folder or missing, and whether it is a package."""
        top, *rest = module.split(".")
        above = self.package.parent if top == "physnn" else self.folder
        if above is None:
            return None, False
        if top == "physnn":
            above, top = self.package, ""
        path = above.joinpath(*filter(None, [top, *rest]))
        if (path / "__init__.py").is_file():
            return path / "__init__.py", True
        if path.with_suffix(".py").is_file() and path != above:
            return path.with_suffix(".py"), False
        return None, path.is_dir() and any(path.glob("*.py"))

    def _find_home(self, package: str) -> dict[str, str]:
        path, _ = self._file(package)
        try:
            return references(_source(path), package).home if path else {}
        except SyntaxError:
            return {}

    def _label(self, path: Path) -> str:
        inside = path.is_relative_to(self.package)
        return (Path("physnn") / path.relative_to(self.package) if inside else path.relative_to(self.folder)).as_posix()


def _source(path: Path) -> str:
    """Return a module as Python reads it, by its byte-order mark or the encoding that it names."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError):  # Python will say so, if the module is imported
        return path.read_text(encoding="utf-8", errors="replace")


def _beside(folder: Path) -> Iterator[Path]:
    """Give the files of a package that are no Python: scripts, style sheets, also in folders that are no packages."""
    for path in sorted(path for path in folder.iterdir() if not of_an_editor(path.name)):
        if path.is_dir() and path.name not in LEFT_OUT and not any(path.glob("*.py")):
            yield from _beside(path)
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path
