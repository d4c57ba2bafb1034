"""Rules about who may know whom."""
import re

from levels import ARROWS, all_below, folder_of, levels_of
from source import rule

FOLDER_FILES_MAX = 20
EVENT_HEADERS = {"sys/epoll.h", "poll.h", "sys/poll.h", "sys/select.h", "sys/event.h", "aio.h",
                 "linux/io_uring.h", "liburing.h", "sys/socket.h"}


@rule("direction", "includes point down the arrows of levels.py, also through iolite/")
def direction(file, tree):
    levels = levels_of(tree)
    if file.is_public:
        owners = levels.owners_of(file.path.removeprefix("include/"))
    else:
        owners = {folder_of(file.path)} - {""} if file.in_src else set()
    for folder in sorted(owners):
        if folder not in ARROWS:
            yield 1, f"nobody knows what is above {folder}/", "add it to ARROWS in levels.py"
            continue
        allowed = all_below(folder) | {folder}
        for number, name, system in file.includes():
            if system and not name.startswith("iolite/"):
                continue
            for above in sorted(levels.behind(name) - allowed):
                yield (number, f"{folder}/ includes {name}, and so {above}/, which is not below it",
                       "move what both need down, or pass it in")


@rule("folder", f"src/ has folders only; one of src/ or apps/ has at most {FOLDER_FILES_MAX} files")
def folder(file, tree):
    if not file.path.startswith(("src/", "apps/")):
        return
    if file.in_src and not file.folder:
        yield 1, "lies in src/ itself", "find the folder of what it is for"
    here = file.path.rpartition("/")[0]
    files = sorted(path for path in tree if path.rpartition("/")[0] == here)
    if len(files) > FOLDER_FILES_MAX and file.path == files[0]:
        yield 1, f"{len(files)} files in {here}/", "find the two ideas in it, and give each a folder"


@rule("implemented", "a public header is implemented in one folder")
def implemented(file, tree):
    if not file.is_public:
        return
    owners = levels_of(tree).owners_of(file.path.removeprefix("include/"))
    if len(owners) > 1:
        yield (1, "is implemented in " + ", ".join(sorted(owners)),
               "make it several headers, one for each")


@rule("backend", "a backend has no header, and includes no other backend")
def backend(file, tree):
    if file.folder not in ("pollers", "engines"):
        return
    source = tree.get(file.path[:-3] + "cpp")
    if file.path.endswith(".hpp") and source and source.is_backend:
        yield 1, "a header of one backend", "its make_ function is declared in src/models/models.cpp"
    if file.is_backend:
        for number, name, _ in file.includes():
            other = "src/" + name.removeprefix("src/").rsplit(".", 1)[0] + ".cpp"
            if other != file.path and other in tree and tree[other].is_backend:
                yield number, f"includes the backend {name}", "move what both need to src/core/"


@rule("public", "a public header says what it is for, and pulls in neither src/ nor event headers")
def public(file, _):
    if not file.is_public:
        return
    if not re.match(r"\s*(//|/\*)", file.text):
        yield 1, "does not begin with a comment", "say what it is for, in a user's words"
    if file.path.endswith(".hpp") and "#pragma once" not in file.lines:
        yield 1, "no #pragma once", "add it after the comment"
    for number, name, system in file.includes():
        if name in EVENT_HEADERS:
            yield number, f"includes <{name}>", "include it in src/, and declare what you need"
        elif not system and not name.startswith("iolite/"):
            yield number, f"includes {name} of src/", "declare what you need, or make it public"


@rule("dead-file", "each header of src/ is included")
def dead_file(file, tree):
    if not file.in_src or not file.path.endswith(".hpp"):
        return
    for other in tree.values():
        if other.path != file.path and other.is_cpp:
            folder = other.path.rsplit("/", 1)[0]
            for _, name, _ in other.includes():
                if file.path in ("src/" + name, name, f"{folder}/{name}"):
                    return
    yield 1, "nobody includes it", "remove it"
