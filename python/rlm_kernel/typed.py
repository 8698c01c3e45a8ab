"""Values checked against the types of fields. What JSON cannot hold is refused or converted, see `Checker`.

The rules are those of src/domain/signature/check-value.ts, which checks again on the host.
"""

from rlm_kernel.plain import NotJson, fields_of, plain
from rlm_kernel.field_types import render
from rlm_kernel.values import clean

_DEEPEST = 100
_MOST_PROBLEMS = 20
_MOST_TEXT = 40
_MOST_KEYS = 5
_EXACT = (1 << 53) - 1
_REFUSED = None


def render_path(path):
    """`path`: (parent or None, name or index), the first one a field."""
    parent, step = path
    if parent is None:
        return str(step)
    if isinstance(step, int):
        return "%s[%d]" % (render_path(parent), step)
    return "%s.%s" % (render_path(parent), step) if step.isidentifier() else "%s[%s]" % (render_path(parent), _short(step))


def _short(text):
    return repr(text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "...")


def describe(value):
    """Its type, and enough of it to be recognised, without running any of the code's own."""
    if value is None:
        return "None"
    kind = type(value)
    if kind is str:
        return "str " + _short(value)
    if kind is bool or kind is float:
        return "%s %r" % (kind.__name__, value)
    if kind is int:
        return "int %d" % value if -1 << 200 < value < 1 << 200 else "a very large int"
    if kind is dict:
        if not value:
            return "an empty dict"
        keys = [_short(key) if isinstance(key, str) else describe(key) for key, _ in zip(value, range(_MOST_KEYS))]
        more = ["..."] if len(value) > _MOST_KEYS else []
        return "dict with the key%s %s" % ("" if len(value) == 1 else "s", ", ".join(keys + more))
    if kind in (list, tuple, set, frozenset):
        return "%s of %d item%s" % (kind.__name__, len(value), "" if len(value) == 1 else "s")
    return kind.__name__


class Checker:
    """Makes JSON values of Python's (`restores` false: SUBMIT), or Python's of JSON values (inputs).

    Converted are whole floats where an int is wanted, ints where a float is; tuples, ranges and arrays into lists;
    dataclasses, namedtuples and data frames into dicts; dates and paths into texts; enumerations into their values.
    Integers beyond 2^53 become the text of their digits, as does each key of a dict that is no text.
    """

    def __init__(self, restores=False, visiting=None):
        self._restores = restores
        self._visiting = set() if visiting is None else visiting
        self.problems = []
        self.count = 0
        self.wrong_type = False
        """One of the problems is a wrong type, rather than a value that cannot be."""

    def add(self, path, message, is_type=True):
        self.count += 1
        self.wrong_type = self.wrong_type or is_type
        if self.count <= _MOST_PROBLEMS:
            self.problems.append("%s: %s" % (render_path(path), message))

    def text(self):
        left = self.count - len(self.problems)
        return "\n".join(self.problems + (["... and %d more" % left] if left else []))

    def missing(self, path, type):
        self.add(path, "is missing; expected %s" % render(type))

    def unknown(self, path, names, what):
        meant = _nearest(path[1], names)
        advice = "did you mean %s?" % meant if meant else "the %ss are %s" % (what, ", ".join(names))
        self.add(path, "there is no such %s; %s" % (what, advice))

    def convert(self, value, type, path, depth=0):
        """The value to be kept; after a problem something without meaning."""
        if depth > _DEEPEST:
            self.add(path, "expected %s, got something nested deeper than %d" % (render(type), _DEEPEST), False)
            return _REFUSED
        if value.__class__ is str and type["kind"] in ("str", "any"):
            return value if self._restores else clean(value)
        original = value
        try:
            value = plain(value, _kinds(type))
        except NotJson as error:
            self.add(path, "expected %s, got %s; %s" % (render(type), describe(value), error.advice))
            return _REFUSED
        if isinstance(value, (list, tuple, dict)):
            return self._container(original, value, type, path, depth)
        return self._by_kind(value, type, path, depth)

    def _container(self, original, value, type, path, depth):
        marker = id(original)
        if marker in self._visiting:
            self.add(path, "it contains itself", False)
            return _REFUSED
        self._visiting.add(marker)
        try:
            return self._by_kind(value, type, path, depth)
        finally:
            self._visiting.discard(marker)

    def _by_kind(self, value, type, path, depth):
        return getattr(self, "_to_" + type["kind"])(value, type, path, depth)

    def _wrong(self, path, type, value, advice=""):
        self.add(path, "expected %s, got %s%s" % (render(type), describe(value), advice))
        return _REFUSED

    # Simple types

    def _to_str(self, value, type, path, depth):
        if not isinstance(value, str):
            return self._wrong(path, type, value)
        return value if self._restores else clean(value)

    def _to_int(self, value, type, path, depth):
        if self._restores and isinstance(value, str):
            value = _large(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return self._wrong(path, type, value)
        return self._integer(value)

    def _integer(self, value):
        return value if self._restores or -_EXACT <= value <= _EXACT else digits(value)

    def _to_float(self, value, type, path, depth):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self._wrong(path, type, value)
        try:
            number = float(value)
        except OverflowError:
            self.add(path, "it is too large for a float", False)
            return _REFUSED
        return self._finite(number, path)

    def _finite(self, value, path):
        if value - value == 0:
            return value
        self.add(path, "%r is not a number in JSON; use None (its type must allow it), or leave it out" % value, False)
        return _REFUSED

    def _to_bool(self, value, type, path, depth):
        return value if isinstance(value, bool) else self._wrong(path, type, value)

    def _to_none(self, value, type, path, depth):
        return self._wrong(path, type, value) if value is not None else None

    def _to_any(self, value, type, path, depth):
        if self._restores or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return self._finite(value, path)
        if isinstance(value, dict):
            return self._mapping(value, path, lambda item, inner: self.convert(item, type, inner, depth + 1))
        return [self.convert(item, type, (path, index), depth + 1) for index, item in enumerate(value)]

    def _to_literal(self, value, type, path, depth):
        for each in type["values"]:
            if each == value and isinstance(each, bool) == isinstance(value, bool):
                return each
        self.add(path, "expected %s, got %s" % (render(type), describe(value)), not isinstance(value, (str, int)))
        return _REFUSED

    # Containers

    def _to_list(self, value, type, path, depth):
        if not isinstance(value, (list, tuple)):
            return self._wrong(path, type, value)
        item = type["item"]
        if item["kind"] == "any" and self._restores:
            return value
        return [self.convert(each, item, (path, index), depth + 1) for index, each in enumerate(value)]

    def _to_tuple_of(self, value, type, path, depth):
        items = self._to_list(value, type, path, depth)
        return tuple(items) if self._restores and items is not _REFUSED else items

    def _to_tuple(self, value, type, path, depth):
        items = type["items"]
        if not isinstance(value, (list, tuple)) or len(value) != len(items):
            return self._wrong(path, type, value)
        found = [self.convert(value[index], item, (path, index), depth + 1) for index, item in enumerate(items)]
        return tuple(found) if self._restores else found

    def _to_dict(self, value, type, path, depth):
        value = fields_of(value) or value
        if not isinstance(value, dict):
            return self._wrong(path, type, value)
        key, item = type["key"], type["value"]

        def convert(each, inner):
            return self.convert(each, item, inner, depth + 1)

        return self._mapping(value, path, convert, key)

    def _to_object(self, value, type, path, depth):
        value = fields_of(value) or value
        if not isinstance(value, dict):
            return self._wrong(path, type, value)
        types = {each["name"]: each["type"] for each in type["properties"]}
        for each in type["properties"]:
            if each["required"] and each["name"] not in value:
                self.missing((path, each["name"]), each["type"])

        def convert(item, inner):
            kind = types.get(inner[1], type["additional"])
            if kind is None:
                return self.unknown(inner, list(types), "key")
            return self.convert(item, kind, inner, depth + 1)

        return self._mapping(value, path, convert)

    def _mapping(self, value, path, convert, key_type=None):
        found = {}
        for key, item in list(value.items()):
            text = self._key(key, key_type, path)
            if text is None:
                continue
            inner = convert(item, (path, text))
            kept = _restored_key(text, key_type) if self._restores and key_type is not None else text
            if kept in found:
                self.add((path, text), "two keys of the dict are the same in JSON", False)
            found[kept] = inner
        return found

    def _key(self, key, type, path):
        """A key as JSON writes it; None where it cannot be one. Those of inputs stay as they are, odd bytes too."""
        text = key if self._restores and isinstance(key, str) else key_text(key)
        if text is None:
            self.add(path, "%s cannot be a key in JSON; use texts or numbers" % describe(key))
        elif type is not None and not is_key(text, type):
            self.add((path, text), "expected a key of type %s, got %s" % (render(type), describe(key)))
        else:
            return text
        return None

    def _to_union(self, value, type, path, depth):
        """The first member that takes the value; where one alone has its shape, what is wrong inside is told."""
        members = type["members"]
        if isinstance(value, int):
            # Exactly, where that is possible.
            members = sorted(members, key=lambda member: member["kind"] == "float")
        attempts = []
        for member in members:
            checker = Checker(self._restores, self._visiting)
            found = checker._by_kind(value, member, path, depth)
            if checker.count == 0:
                return found
            if _has_shape(value, member["kind"]):
                attempts.append(checker)
        if len(attempts) != 1:
            return self._wrong(path, type, value)
        for problem in attempts[0].problems:
            self.problems.append(problem)
        self.count += attempts[0].count
        self.wrong_type = self.wrong_type or attempts[0].wrong_type
        return _REFUSED


def _kinds(type):
    return [member["kind"] for member in type["members"]] if type["kind"] == "union" else [type["kind"]]


def _has_shape(value, kind):
    if isinstance(value, (list, tuple)):
        return kind in ("list", "tuple", "tuple_of")
    if isinstance(value, float) and value - value != 0:
        return kind == "float"
    return isinstance(value, dict) and kind in ("dict", "object")


def digits(value):
    """Of an int of any size: Python refuses to write very large ones in decimal by itself."""
    try:
        return str(value)
    except ValueError:
        import decimal

        with decimal.localcontext() as context:
            context.prec = decimal.MAX_PREC
            context.Emax = decimal.MAX_EMAX
            return "{:f}".format(decimal.Decimal(value))


def key_text(key):
    if isinstance(key, str):
        return clean(key)
    if key is None:
        return "null"
    try:
        key = plain(key)
    except NotJson:
        return None
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return digits(key)
    if isinstance(key, float):
        return repr(key) if key - key == 0 else None
    return clean(key) if isinstance(key, str) else None


def is_key(text, type):
    kind = type["kind"]
    if kind == "bool":
        return text in ("true", "false")
    if kind == "int":
        number = text[1:] if text[:1] == "-" else text
        return number.isascii() and number.isdigit() and (number == "0" or number[0] != "0")
    if kind == "float":
        return isinstance(_number(float, text), float) and text[-1:].isdigit() and text.strip("0123456789+-.eE") == ""
    if kind == "literal":
        return any(key_text(value) == text for value in type["values"])
    if kind == "union":
        return any(is_key(text, member) for member in type["members"])
    return True


def _restored_key(text, type):
    kind = type["kind"]
    if kind in ("int", "float"):
        return (int if kind == "int" else float)(text)
    if kind == "bool":
        return text == "true"
    if kind == "literal":
        return next((value for value in type["values"] if key_text(value) == text), text)
    if kind == "union":
        member = next((each for each in type["members"] if is_key(text, each)), None)
        return text if member is None else _restored_key(text, member)
    return text


def _large(text):
    """An int that the host had to write as the text of its digits."""
    number = _number(int, text) if len(text) > 15 and is_key(text, {"kind": "int"}) else text
    return number if isinstance(number, int) and not -_EXACT <= number <= _EXACT else text


def _number(kind, text):
    try:
        return kind(text.strip())
    except ValueError:
        return text


def _nearest(name, names):
    import difflib

    found = difflib.get_close_matches(name, names, 1)
    return found[0] if found else None
