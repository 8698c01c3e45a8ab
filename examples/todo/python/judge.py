import ast
import io
import json
import tokenize
from collections import Counter

MARKER = re.compile(r"\b(TODO|FIXME|XXX)\b")
COMMENT = re.compile(r"(?:#|//|/\*|<!--|--|;|%)[^\"']*\b(?:TODO|FIXME|XXX)\b.*")


def comments_of(path, lines):
    """The text of each comment by its line. A string that holds the word is no comment."""
    if path.endswith(".py"):
        try:
            tokens = list(tokenize.generate_tokens(iter(lines).__next__))
            return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
        except (SyntaxError, tokenize.TokenError):
            pass  # Python of another age: taken line by line, like any other language.
    found = ((number, COMMENT.search(line)) for number, line in enumerate(lines, 1))
    return {number: match.group().rstrip() for number, match in found if match}


def whole_text(number, comments, lines):
    """The comment with the lines that continue it, up to four."""
    text = [comments[number]]
    while len(text) < 4:
        number += 1
        line = comments.get(number, "")
        if not line or lines[number - 1].strip() != line or MARKER.search(line) or line.strip("#/ ") == "":
            break
        text.append(line)
    return " ".join(" ".join(part.strip("#/*<!->; ") for part in text).split())


def parse(source):
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def constant_bound_at(number, tree):
    """The name that a module-level line such as X = 1 binds."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.lineno == node.end_lineno == number:
            if isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant):
                return node.targets[0].id


def uses_of(name, path, number, tree):
    """Other places that could mean that name of the module: in its file, and wherever it is imported from there."""
    uses = [
        f"{path}:{getattr(node, 'lineno', '?')}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == name and node.lineno != number)
        or (isinstance(node, ast.Global) and name in node.names)
        or (isinstance(node, ast.Constant) and node.value == name)
    ]
    module = path[: -len(".py")].replace("/__init__", "").split("/")[-1]
    others = [other for other in git("grep", "-zlIw", name, "--", "*.py").split("\0")[:-1] if other != path]
    for other in others:
        with open(other, encoding="utf-8", errors="replace") as file:
            for node in ast.walk(parse(file.read())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] == module:
                    if {name, "*"} & {alias.name for alias in node.names}:
                        uses.append(f"{other}:{node.lineno}")
                elif isinstance(node, ast.Attribute) and node.attr == name and module in ast.unparse(node.value):
                    uses.append(f"{other}:{node.lineno}")
    return uses, len(others)


def edit_of(number, new, lines):
    """Old and new text of one line, with lines before it until the old text is unique."""
    source, old, start = "".join(lines), lines[number - 1], number - 1
    while source.count(old) > 1 and start > 0:
        start -= 1
        old, new = lines[start] + old, lines[start] + new
    return {"old": old, "new": new} if source.count(old) == 1 and "\ufffd" not in old else None


def judge(path, number, text, lines):
    """Difficulty, why, and the edit where it is certain."""
    line = lines[number - 1]
    claims_unused = re.search(r"\bunused\b|\b(no longer|not|never)\b.*\bused\b", text)
    tree = parse("".join(lines)) if claims_unused and path.endswith(".py") else None
    name = constant_bound_at(number, tree) if tree else None
    if name:
        uses, others = uses_of(name, path, number, tree)
        if uses:
            return 4, f"says that {name} is unused, but {uses[0]} uses it", None
        why = f"nothing reads the constant {name}: no line of its file, and none of the {others} others with that word"
        return 1, why, edit_of(number, "", lines)
    following = lines[number].lstrip() if number < len(lines) else ""
    if not MARKER.sub("", text).strip(" .!-") and not following.startswith(("#", "//")):
        code = re.sub(r"\s*(#|//)[^#/]*$", "", line.rstrip("\r\n"))
        new = code + line[len(line.rstrip("\r\n")) :] if code else ""
        return 2, "a marker without a word: it can only be taken out", edit_of(number, new, lines)
    if "?" in text:
        return 3, "asks a question that somebody has to decide", None
    if re.search(r"(?i)re-?writ|redesign|refactor|thread|\bAPI\b|hack|ugly|clean", text):
        return 5, "is about how the code is built", None
    return 4, "asks for other behaviour", None


found = []
for path in marked:
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        source = file.read()
    lines = io.StringIO(source).readlines()
    comments = comments_of(path, lines)
    for number in comments:
        if MARKER.search(comments[number]):
            text = whole_text(number, comments, lines)
            difficulty, why, edit = judge(path, number, text, lines)
            found.append(
                {"file": path, "line": number, "text": text[:200], "difficulty": difficulty, "why": why, "edit": edit}
            )

found.sort(key=lambda comment: (comment["difficulty"], comment["file"], comment["line"]))
report = {
    "comments": len(found),
    "by_difficulty": dict(sorted(Counter(str(comment["difficulty"]) for comment in found).items())),
    "easiest": found[:5],
}
print(f"{len(found)} comments in {len({comment['file'] for comment in found})} files")
for comment in found[:15]:
    print("{difficulty}  {file}:{line}  {text:.80}  ({why})".format(**comment))
