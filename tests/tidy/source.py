"""A file of the tree as the rules see it, and the table in which they register."""
import re

RULES = {}


def rule(name, what):
    """Registers a check of one file: it yields (line, what is wrong, what to do)."""
    def register(check):
        RULES[name] = (what, check)
        return check
    return register


class File:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        parts = path.split("/")
        self.name = parts[-1]
        self.stem = self.name.rsplit(".", 1)[0]
        self.in_src = parts[0] == "src"
        self.folder = parts[1] if self.in_src and len(parts) > 2 else ""
        self.is_cpp = path.endswith((".cpp", ".hpp", ".h", ".c"))
        self.is_public = path.startswith("include/")
        self.is_sized = self.folder in ("pollers", "engines") and path.endswith(".cpp")
        # What backends share has no make_ function of its own.
        self.is_backend = self.is_sized and bool(re.search(r"^\w.*\bmake_\w+\(", text, re.M))
        self.code_ = None
        self.includes_ = None

    @property
    def code(self):
        """The lines with comments blanked, and strings too."""
        if self.code_ is None:
            self.code_ = blank(self.text).splitlines() if self.is_cpp else self.lines
        return self.code_

    def includes(self):
        """(line, name, is it in angle brackets) of each; asked for again and again."""
        if self.includes_ is None:
            found = ((number, re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line))
                     for number, line in enumerate(self.lines, 1) if "include" in line)
            self.includes_ = [(number, m[2], m[1] == "<") for number, m in found if m]
        return self.includes_

    def find(self, pattern):
        for number, line in enumerate(self.code, 1):
            for match in re.finditer(pattern, line):
                yield number, match[0].strip()


def blank(text):
    """Comments and the insides of literals become spaces; lines stay where they are."""
    pattern = re.compile(
        r'//(?:\\\n|[^\n])*|/\*.*?\*/'
        r'|(?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")'
        r'|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)

    def spaces(match):
        found = match[0]
        if re.match(r'[^\n]*#\s*include', found):
            return found
        inside = re.sub(r"[^\n]", " ", found)
        return inside if found.startswith("/") else '"' + inside[1:-1] + '"'
    return pattern.sub(spaces, text)
