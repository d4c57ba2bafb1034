"""C++ as far as a mutator needs it: tokens, matching brackets, bodies of functions, statements.

It relies on what clang-format makes of the code: a binary operator has blanks on both sides, what
opens or closes template arguments has none inside. What it does not understand it leaves alone.
"""
import bisect
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"""
    (?P<space>(?:\s|\\\n)+)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<directive>\#(?:[^\n\\]|\\.|\\\n)*)
  | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]*)\(.*?\)(?P=mark)")
  | (?P<string>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*"\w*)
  | (?P<char>(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+')
  | (?P<number>\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<punctuation><=>|<<=|>>=|->\*|\.\.\.|::|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.X | re.S)

OPENS, CLOSES = "([{", ")]}"
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
# Binary operators by how strongly they bind.
STRENGTH = {"||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, "<=": 7, ">": 7,
            ">=": 7, "<=>": 8, "<<": 9, ">>": 9, "+": 10, "-": 10, "*": 11, "/": 11, "%": 11}
SEPARATES = {",", ";", "?", ":", "return", "co_return", "co_yield", "throw", "else", "do", "case",
             "goto"} | ASSIGNMENTS
NO_CALL = {"if", "while", "for", "switch", "catch", "return", "co_return", "sizeof", "alignof",
           "decltype", "noexcept", "requires", "co_await", "throw", "alignas", "typeid", "operator",
           "static_cast", "reinterpret_cast", "const_cast", "dynamic_cast", "new", "delete", "explicit",
           "constexpr", "void", "static_assert", "__attribute__", "defined"}
DECLARES = {"using", "static_assert", "typedef", "struct", "class", "union", "enum", "constexpr",
            "const", "static", "auto", "thread_local", "extern", "friend", "template", "namespace",
            "volatile", "unsigned", "signed", "int", "bool", "char", "long", "short", "double",
            "float", "void", "inline", "public", "private", "protected", "explicit", "virtual",
            "alignas", "typename", "concept", "requires", "mutable"}


@dataclass
class Token:
    kind: str
    text: str
    begin: int
    spaced: bool  # something stands between it and the one before
    match: int = -1  # of a bracket: the other one

    @property
    def end(self):
        return self.begin + len(self.text)


@dataclass
class Statement:
    kind: str  # expression, declaration, return, jump, block, control, label
    first: int
    last: int  # tokens, both included
    in_block: bool  # its neighbours are statements; else it is all that an `if` controls
    function: "Function" = None


@dataclass
class Function:
    body: int  # the tokens { and }
    end: int
    head: int  # where its declaration begins
    is_lambda: bool
    constexpr: bool = False
    statements: list = field(default_factory=list)


class Source:
    """One file."""

    def __init__(self, text):
        self.text = text
        self.tokens = self.scan()
        self.lines = [0] + [m.end() for m in re.finditer("\n", text)]
        self.conditions = []  # (first, last): what `if`, `while` and `for` ask
        self.functions = []
        self.match_brackets()
        self.find_functions()

    def scan(self):
        tokens, spaced = [], True
        for m in TOKEN.finditer(self.text):
            kind = m.lastgroup if m.lastgroup != "mark" else "raw"
            if kind in ("space", "comment", "directive"):
                spaced = True
                continue
            tokens.append(Token(kind, m.group(), m.start(), spaced))
            spaced = False
        return tokens

    def place(self, offset):
        line = bisect.bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1

    def span(self, first, last):
        return self.tokens[first].begin, self.tokens[last].end

    def words(self, first, last):
        return self.text[self.tokens[first].begin:self.tokens[last].end]

    def spaced_after(self, i):
        return i + 1 >= len(self.tokens) or self.tokens[i + 1].spaced

    def is_binary(self, i):
        """Whether the operator there has an operand on each side."""
        t = self.tokens[i]
        return t.text in STRENGTH and t.spaced and self.spaced_after(i) and \
            self.tokens[i - 1].text not in ("operator", "...", "template") and \
            self.tokens[i + 1].text != "..."

    def match_brackets(self):
        """Angle brackets as well: those that no blank makes operators."""
        stack = []
        for i, t in enumerate(self.tokens):
            if t.kind != "punctuation":
                continue
            if t.text in OPENS:
                stack.append(i)
            elif t.text in CLOSES:
                while stack and self.tokens[stack[-1]].text == "<":
                    stack.pop()  # it was none
                self.pair(stack, i)
            elif t.text == "<" and i > 0 and self.opens_arguments(i):
                stack.append(i)
            elif t.text in (">", ">>") and not (t.spaced and self.spaced_after(i)):
                for _ in t.text:
                    if stack and self.tokens[stack[-1]].text == "<":
                        self.pair(stack, i)

    def opens_arguments(self, i):
        before = self.tokens[i - 1]
        return before.text == "template" or (before.kind == "word" and not self.tokens[i].spaced)

    def pair(self, stack, i):
        if stack:
            self.tokens[i].match = stack[-1]
            self.tokens[stack.pop()].match = i

    # --- bodies and statements ---

    def find_functions(self):
        i = 0
        while i < len(self.tokens):
            if self.tokens[i].text == "{" and self.tokens[i].match > i:
                i = self.enter(i)
            i += 1

    def enter(self, i):
        """At a brace outside of functions: on past it if it is a function's, or a list's."""
        head = self.head_of(i)
        words = [t.text for t in self.tokens[head:i]]
        if i > head and self.is_body(head, i, words):
            self.function(i, head, False, "constexpr" in words or "consteval" in words)
            return self.tokens[i].match
        scopes = {"namespace", "class", "struct", "union", "extern"}
        if not scopes & set(words) or "=" in words or "enum" in words:
            return self.tokens[i].match
        return i

    def head_of(self, i):
        """Where the declaration begins whose brace this is."""
        j = i - 1
        while j >= 0:
            t = self.tokens[j]
            if t.text == "}" and t.match >= 0 and self.ends_initializer(j):
                j = t.match
            elif t.text in (";", "{", "}") or (t.text == ":" and self.tokens[j - 1].text in
                                               ("public", "private", "protected")):
                return j + 1
            elif t.text in (")", "]", ">", ">>") and t.match >= 0:
                j = t.match
            j -= 1
        return 0

    def ends_initializer(self, j):
        """a_{b}: a brace after a word without a blank is no body."""
        opening = self.tokens[self.tokens[j].match]
        before = self.tokens[self.tokens[j].match - 1]
        return before.kind == "word" and not opening.spaced

    def is_body(self, head, i, words):
        if "=" in words[:1] or "enum" in words or words[0] in ("namespace", "using"):
            return False
        j = head
        while j < i:  # the parameters: a name and brackets, outside of template arguments
            t = self.tokens[j]
            if t.text == "(" and j > head:
                break
            if t.text in ("=", "class", "struct", "union") and words[0] != "template":
                return False
            j = t.match + 1 if t.text in ("(", "[", "<", "{") and t.match > j else j + 1
        return j < i and self.tokens[i - 1].text != "=" and (
            self.tokens[i].spaced or self.tokens[i - 1].text == ")")

    def function(self, brace, head, is_lambda, is_constexpr):
        f = Function(brace, self.tokens[brace].match, head, is_lambda, is_constexpr)
        self.functions.append(f)
        self.block(f, brace)

    def block(self, f, brace):
        end = self.tokens[brace].match
        i = brace + 1
        while i < end:
            i = self.statement(f, i, True) + 1

    def statement(self, f, i, in_block):
        """Notes the statement that begins there; gives its last token."""
        word = self.tokens[i].text
        if word == "{":
            self.block(f, i)
            return self.tokens[i].match
        if word in ("if", "while", "for", "switch"):
            return self.control(f, i)
        if word == "else":
            return self.statement(f, i + 1, False)
        if word == "do":
            last = self.statement(f, i + 1, False)
            self.condition(last + 2)
            return self.to_semicolon(last + 2)
        if word == "try":
            return self.statement(f, i + 1, True)
        if word == "catch":
            return self.statement(f, self.tokens[i + 1].match + 1, True)
        if word in ("case", "default"):
            return self.to_colon(i)
        return self.simple(f, i, in_block)

    def control(self, f, i):
        j = i + 1
        static = self.tokens[j].text == "constexpr"
        if static:
            j += 1
        end = self.tokens[j].match
        if self.tokens[i].text != "switch" and not static:
            self.condition(j)
        self.lambdas(j, end)
        last = self.statement(f, end + 1, False)
        if self.tokens[i].text == "if" and self.next_is(last, "else"):
            return self.statement(f, last + 1, False)
        return last

    def next_is(self, i, word):
        return i + 1 < len(self.tokens) and self.tokens[i + 1].text == word

    def condition(self, paren):
        """What stands in the parentheses of `if`, `while` or `for`."""
        parts, begin = [], paren + 1
        for j in self.level(paren + 1, self.tokens[paren].match - 1):
            if self.tokens[j].text == ";":
                parts.append((begin, j - 1))
                begin = j + 1
        parts.append((begin, self.tokens[paren].match - 1))
        first, last = parts[0] if len(parts) == 1 else parts[1]
        texts = {self.tokens[j].text for j in self.level(first, last)}
        if first <= last and "=" not in texts and not (len(parts) == 1 and ":" in texts
                                                       and "?" not in texts):
            self.conditions.append((first, last))

    def level(self, first, last):
        """The tokens there that are in no bracket of their own; the brackets' first ones too."""
        j = first
        while j <= last:
            yield j
            t = self.tokens[j]
            j = t.match + 1 if t.match > j else j + 1

    def to_semicolon(self, i):
        while self.tokens[i].text != ";":
            i = self.tokens[i].match + 1 if self.tokens[i].match > i else i + 1
        return i

    def to_colon(self, i):
        while self.tokens[i].text != ":":
            i += 1
        return i

    def simple(self, f, i, in_block):
        last = self.to_semicolon(i)
        word = self.tokens[i].text
        kind = "return" if word in ("return", "co_return") else \
            "jump" if word in ("break", "continue", "goto") else \
            "declaration" if self.declares(i, last) else "expression"
        f.statements.append(Statement(kind, i, last, in_block, f))
        self.lambdas(i, last)
        return last

    def declares(self, first, last):
        word = self.tokens[first].text
        if word in DECLARES or self.tokens[first].text == "[":
            return word not in ("this",)
        if word in ("delete", "throw", "co_await", "co_yield", "new"):
            return False
        for j in self.level(first, last):
            t, before = self.tokens[j], self.tokens[j - 1] if j > first else None
            if t.text in ASSIGNMENTS or t.text in ("(", ";", "?") or self.is_binary(j):
                return False
            if before and t.kind == "word" and t.spaced and (
                    before.kind == "word" or before.text in ("&", "*", "&&", ">", ">>")):
                return True
        return False

    def lambdas(self, first, last):
        """Bodies of lambdas, and of classes, in a statement."""
        j = first
        while j <= last:
            if self.tokens[j].text == "{" and self.tokens[j].match > j:
                head = self.lambda_head(j)
                if head is not None:
                    self.function(j, head, True, False)
                    j = self.tokens[j].match
            j += 1

    def lambda_head(self, brace):
        j = brace - 1
        while j > 0 and (self.tokens[j].kind == "word" or self.tokens[j].text in
                         ("::", "->", ">", "&", "*")) and self.tokens[j].text != "return":
            j = self.tokens[j].match - 1 if self.tokens[j].match >= 0 else j - 1
        if self.tokens[j].text == ")":
            j = self.tokens[j].match - 1
        if self.tokens[j].text == "]" and self.tokens[j].match >= 0:
            before = self.tokens[self.tokens[j].match - 1]
            if before.kind != "word" or before.text in ("return", "co_return", "co_await"):
                return self.tokens[j].match
        return None

    # --- expressions ---

    def operands(self, i, statement):
        """The first token of the left operand, and the last of the right one."""
        strength = STRENGTH.get(self.tokens[i].text, 0)
        return self.leftmost(i, strength, statement.first), \
            self.rightmost(i, strength, statement.last)

    def leftmost(self, i, strength, bound):
        j = i
        while j > bound:
            t = self.tokens[j - 1]
            if t.match >= 0 and t.match < j - 1:
                j = t.match
                continue
            if t.text in OPENS or t.text in SEPARATES or \
                    (self.is_binary(j - 1) and STRENGTH[t.text] < strength):
                break
            j -= 1
        return j

    def rightmost(self, i, strength, bound):
        j = i
        while j < bound:
            t = self.tokens[j + 1]
            if t.match > j + 1:
                j = t.match
                continue
            if t.text in CLOSES or t.text in SEPARATES or \
                    (self.is_binary(j + 1) and STRENGTH[t.text] <= strength):
                break
            j += 1
        return j

    def callee(self, paren):
        """The first token of what is called by this parenthesis; None if it is no call."""
        before = self.tokens[paren - 1]
        if self.tokens[paren].spaced or before.text in NO_CALL or not (
                before.kind == "word" or (before.text == ">" and before.match >= 0)):
            return None
        j = paren - 1
        while True:
            t = self.tokens[j]
            if t.text in (")", "]", ">", ">>") and t.match >= 0:
                j = t.match
                if t.text in (")", ">", ">>") or self.tokens[j - 1].kind == "word":
                    j -= 1
                    if self.tokens[j].text in NO_CALL:
                        return None
            elif t.kind != "word" or t.text in NO_CALL:
                return None
            if j > 0 and self.tokens[j - 1].text in (".", "->", "::"):
                j -= 1
                if self.tokens[j].text == "::" and self.tokens[j].spaced:
                    return j
                if j == 0 or (self.tokens[j].text == "::" and not (
                        self.tokens[j - 1].kind == "word" or self.tokens[j - 1].text == ">")):
                    return j
                j -= 1
                continue
            return j

    def arguments(self, paren):
        """(first, last) of each argument."""
        parts, begin = [], paren + 1
        for j in self.level(paren + 1, self.tokens[paren].match - 1):
            if self.tokens[j].text == ",":
                parts.append((begin, j - 1))
                begin = j + 1
        if begin < self.tokens[paren].match:
            parts.append((begin, self.tokens[paren].match - 1))
        return parts
