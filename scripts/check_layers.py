#!/usr/bin/env python3
"""Checks that the code keeps its layers.

- every `#include "folder/x.h"` is in the same library or in one of those its DEPENDS reach (a library that
  lies inside another's folder and is linked by it also sees that folder's headers);
- arrows point down: apps -> projects -> engine -> models -> core, projects never at each other, no cycle;
- an outside library is included only where it may be (CLI11 in core/cli, yaml-cpp and spdlog in core/base, Qt in projects/dash_window);
- nobody prints but core/cli, core/base/progress, the projects' command files, apps and tests;
- no file or folder is called utils, helpers, common or misc;
- every library folder has a README.md of at most 15 lines, every header a `///` comment;
- the tree in ARCHITECTURE.md names exactly the folders that are there.
"""

import pathlib
import re
import sys
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
TIERS = ["core", "models", "engine", "projects", "apps"]
BANNED = {"utils", "util", "helpers", "helper", "common", "misc"}
OUTSIDE = {"CLI/": ["core/cli"], "yaml-cpp/": ["core/base"], "spdlog/": ["core/base"],
           "Q": ["projects/dash_window", "apps/mlx_dash"]}
PRINTS = re.compile(r"std::cout|std::cerr|\bprintf\(|\bputs\(|fmt::print\(|std::fputs\(")
MAY_PRINT = re.compile(r"^(core/cli/|core/base/progress\.cpp|apps/|projects/.*command\w*\.cpp|projects/cache/(session|fetch_progress)\.cpp|.*_test\.cpp)")
README_LINES = 15

errors: list[str] = []


@dataclass
class Library:
    name: str
    folder: pathlib.PurePosixPath  # relative to src
    depends: list[str] = field(default_factory=list)
    test_depends: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def without_comments(text: str) -> str:
    return re.sub(r"#[^\n]*", "", text)


def read_libraries() -> dict[str, Library]:
    libraries: dict[str, Library] = {}
    extra: list[tuple[str, list[str]]] = []
    for cmake in sorted(SRC.rglob("CMakeLists.txt")):
        folder = pathlib.PurePosixPath(cmake.parent.relative_to(SRC).as_posix())
        text = without_comments(cmake.read_text())
        for kind, body in re.findall(r"\b(toolkit_library|toolkit_program)\(([^)]*)\)", text):
            words = body.split()
            library = Library(words[0], folder)
            section = ""
            for word in words[1:]:
                if word in ("SOURCES", "DEPENDS", "TESTS", "TEST_DEPENDS"):
                    section = word
                elif section == "SOURCES":
                    library.sources.append(word)
                elif section == "DEPENDS":
                    library.depends.append(word)
                elif section == "TEST_DEPENDS":
                    library.test_depends.append(word)
            if words[0] in libraries:  # one name, two systems: the same folder in two branches of an if
                libraries[words[0]].depends += library.depends
            else:
                libraries[words[0]] = library
        for body in re.findall(r"\btarget_link_libraries\(([^)]*)\)", text):
            words = body.split()
            extra.append((words[0], [w for w in words[1:] if w not in ("PUBLIC", "PRIVATE", "INTERFACE")]))
    for name, depends in extra:
        if name in libraries:
            libraries[name].depends += depends
    return libraries


def reach(libraries: dict[str, Library], names: list[str]) -> set[str]:
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in libraries and name not in seen:
            seen.add(name)
            todo += libraries[name].depends
    return seen


def owner_of(path: pathlib.PurePosixPath, libraries: dict[str, Library]) -> Library | None:
    """The library of the nearest folder above a file (relative to src)."""
    above = [library for library in libraries.values() if library.folder in path.parents]
    nearest = max(above, key=lambda library: len(library.folder.parts), default=None)
    # Of several libraries in one folder: the one with x.cpp (or x_linux.cpp) beside x.h.
    for library in above:
        stems = [pathlib.PurePosixPath(source).stem for source in library.sources]
        if library.folder == nearest.folder and any(re.fullmatch(path.stem + r"(_\w+)?", stem) for stem in stems):
            return library
    return nearest


def check_arrows(libraries: dict[str, Library]) -> None:
    for library in libraries.values():
        tier = TIERS.index(library.folder.parts[0])
        for name in library.depends + library.test_depends:
            if name not in libraries:
                continue
            other = libraries[name].folder
            place = f"src/{library.folder}/CMakeLists.txt: {library.name} -> {name}"
            if TIERS.index(other.parts[0]) > tier:
                errors.append(f"{place}: points up; arrows go {' -> '.join(reversed(TIERS))}")
            if library.folder.parts[0] == "projects" and other.parts[0] == "projects" and name in library.depends:
                errors.append(f"{place}: projects never use each other; what two need moves down")
        if library.name in reach(libraries, library.depends):
            errors.append(f"src/{library.folder}/CMakeLists.txt: {library.name} depends on itself in a circle")


def check_includes(libraries: dict[str, Library]) -> None:
    for path in sorted(list(SRC.rglob("*.h")) + list(SRC.rglob("*.cpp")) + list(SRC.rglob("*.mm"))):
        relative = pathlib.PurePosixPath(path.relative_to(SRC).as_posix())
        library = owner_of(relative, libraries)
        if library is None:
            errors.append(f"src/{relative}: in no library: write a CMakeLists.txt with toolkit_library()")
            continue
        # A second library of the same folder (a program beside its parts) counts as the same place.
        here = [one for one in libraries.values() if one.folder == library.folder]
        names = [one.name for one in here] + [d for one in here for d in one.depends]
        # A library inside another's folder (core/tensor/cpu) is a part of it and sees its headers.
        names += [one.name for one in libraries.values()
                  if one.folder in library.folder.parents and library.name in one.depends]
        if relative.name.endswith("_test.cpp") or "testing" in relative.parts:
            names += [d for one in here for d in one.test_depends]
        allowed = reach(libraries, names)
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            check_line(relative, number, line, libraries, allowed)


def check_line(relative, number, line, libraries, allowed) -> None:
    place = f"src/{relative}:{number}"
    include = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
    if include:
        target = include.group(1)
        for prefix, folders in OUTSIDE.items():
            if target.startswith(prefix) and not any(str(relative).startswith(f + "/") for f in folders):
                errors.append(f"{place}: <{prefix}...> may only be included in {', '.join(folders)}")
        if target.split("/")[0] not in TIERS:
            return
        other = owner_of(pathlib.PurePosixPath(target), libraries)
        if not (SRC / target).exists():
            errors.append(f'{place}: "{target}" does not exist')
        elif other and other.name not in allowed:
            errors.append(f'{place}: "{target}" is in {other.name}, which the DEPENDS of this folder do not reach')
    elif PRINTS.search(line.split("//")[0]) and not MAY_PRINT.match(str(relative)):
        errors.append(f"{place}: libraries do not print: return the text, or use Progress")


def check_names_and_readmes(libraries: dict[str, Library]) -> None:
    for path in SRC.rglob("*"):
        for part in re.split(r"[_.]", path.name):
            if part.lower() in BANNED:
                errors.append(f"{path.relative_to(ROOT)}: '{part}' says nothing: name the thing it does")
    for folder in sorted({library.folder for library in libraries.values()}):
        readme = SRC / folder / "README.md"
        if not readme.exists():
            errors.append(f"src/{folder}: README.md is missing (purpose, who may include it, where to add a thing)")
        elif readme.read_text().count("\n") > README_LINES:
            errors.append(f"src/{folder}/README.md: more than {README_LINES} lines")
    for header in sorted(SRC.rglob("*.h")):
        text = header.read_text(encoding="utf-8")
        if "///" not in text and "//" not in text:
            errors.append(f"{header.relative_to(ROOT)}: no declaration says what it does")


def architecture_folders() -> set[str]:
    """Folders in the tree block of ARCHITECTURE.md: lines "  name/   what", nested by two blanks."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    block = re.search(r"```\nsrc/\n(.*?)```", text, re.S)
    if not block:
        errors.append("ARCHITECTURE.md: no tree that begins with 'src/'")
        return set()
    found: set[str] = set()
    path: list[str] = []
    for line in block.group(1).split("\n"):
        if line and not line.startswith(" "):
            break
        entry = re.match(r"( +)(\w+)/(\s|$)", line)
        if not entry:
            continue
        depth = len(entry.group(1)) // 2
        path = path[:depth - 1] + [entry.group(2)]
        found.add("/".join(path))
    return found


def check_architecture() -> None:
    listed = architecture_folders()
    present = {p.relative_to(SRC).as_posix() for p in SRC.rglob("*")
               if p.is_dir() and any(c.is_file() and c.suffix in (".h", ".cpp", ".mm") for c in p.rglob("*"))}
    for folder in sorted(present - listed):
        errors.append(f"ARCHITECTURE.md: the tree lacks src/{folder}/")
    for folder in sorted(listed - present):
        errors.append(f"ARCHITECTURE.md: the tree names src/{folder}/, which is not there")


def main() -> int:
    libraries = read_libraries()
    check_arrows(libraries)
    check_includes(libraries)
    check_names_and_readmes(libraries)
    check_architecture()
    for error in errors:
        print(error, file=sys.stderr)
    print(f"{len(libraries)} libraries and programs")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
