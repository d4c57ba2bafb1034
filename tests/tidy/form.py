"""Rules about form: how wide, how long, how finished."""
import re

from source import rule

WIDTH_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
PUBLIC_HEADER_LINES_MAX = 200


@rule("width", f"lines of C++, CMake and shell have at most {WIDTH_MAX} columns")
def width(file, _):
    if not (file.is_cpp or is_script(file)):
        return
    for number, line in enumerate(file.lines, 1):
        if len(line) > WIDTH_MAX:
            yield number, f"{len(line)} columns", f"break it at {WIDTH_MAX}"


def is_script(file):
    return (file.name == "CMakeLists.txt" or file.path.endswith((".cmake", ".sh"))
            or file.text.startswith(("#!/bin/sh", "#!/bin/bash")))


# No engineer would say these, and a reader has to guess what they mean.
STILTED = re.compile(r"//.*\b((?:for|of|to|by|as|than) who(?:m)? (?:is|has|was|does|waits|asks|gets|makes|"
                     r"takes|comes|cannot|binds|works|only|will|would)|how manieth|bit by bit)\b")


@rule("words", "comments are plain English")
def words(file, _):
    if not file.is_cpp:
        return
    for number, line in enumerate(file.lines, 1):
        if found := STILTED.search(line):
            yield number, f"'{found[1]}'", "name who or what is meant"


@rule("function-length", f"functions have at most {FUNCTION_LINES_MAX} lines")
def function_length(file, _):
    if not file.is_cpp:
        return
    for number, count in functions(file.code):
        if count > FUNCTION_LINES_MAX:
            yield number, f"a function of {count} lines", "move what can be named out of it"


CONTAINER = re.compile(
    r'^(?:\s|template\s*<[^{}]*>|inline|export|typedef|static|constexpr|\[\[[^\]]*\]\])*'
    r'(?:namespace|class|struct|union|enum|extern\s*"[^"]*")\b(?![^()]*\w\s*\()')


def functions(code):
    """(line, lines) of each outermost brace that follows a parameter list."""
    open_braces = []  # (is it a container, line, may be a function)
    head = ""
    for number, line in enumerate(code, 1):
        if line.lstrip().startswith("#"):
            continue
        for char in line + "\n":
            if char == "{":
                within_function = any(not container for container, _, _ in open_braces)
                container = not within_function and bool(CONTAINER.match(head))
                open_braces.append((container, number, not within_function and "(" in head))
                if container:
                    head = ""
            elif char == "}" and open_braces:
                container, begin, function = open_braces.pop()
                if function:
                    yield begin, number - begin + 1
                if all(is_container for is_container, _, _ in open_braces):
                    # The brace of an initializer `x_{1}` before a constructor's body ends no head.
                    in_list = re.search(r"\)[^;{}]*:[^:]", head) and begin == number
                    head = head if in_list else ""
            elif char == ";":
                head = ""
            elif all(is_container for is_container, _, _ in open_braces):
                head += char


@rule("file-length", "files have a size that a reader can hold")
def file_length(file, _):
    if not file.path.endswith((".cpp", ".hpp")):
        return
    most = FILE_LINES_MAX
    if file.is_public:
        most = PUBLIC_HEADER_LINES_MAX
    elif file.is_sized and file.folder == "pollers":
        most = 100
    elif file.is_sized:
        most = 300
    if len(file.lines) > most:
        remedy = ("something in it belongs in what all backends share" if file.is_sized
                  else "find the two ideas in it, and give each a file")
        yield len(file.lines), f"{len(file.lines)} lines, at most {most}", remedy


@rule("todo", "a TODO says why it is not done: TODO(reason)")
def todo(file, _):
    if not (file.is_cpp or is_script(file)):
        return
    for number, line in enumerate(file.lines, 1):
        if re.search(r"\b(?:TODO|FIXME)\b(?!\s*\([^)]+\))", line):
            yield number, "no reason", "do it, or write TODO(what it waits for)"
