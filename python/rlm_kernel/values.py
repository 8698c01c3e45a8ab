"""What may travel as JSON, and what becomes of the rest."""

from rlm_kernel.plain import NotJson, plain

_DEEPEST = 100
_EXACT = 1 << 53


def clean(text):
    """Text as UTF-8 can hold it: lone surrogates (undecodable bytes of file names) as escapes."""
    if type(text) is not str:
        text = "".join([text])
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def sealed(value, depth=0):
    """A deep copy of `value` as a JSON value: tables, arrays, dates and records as SUBMIT converts them.

    Whatever has no obvious JSON becomes its str(); so do integers that a double cannot hold, NaN and the infinities, and
    what is nested deeper than 100.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int) and -_EXACT < value < _EXACT:
        return int(value)
    if isinstance(value, float) and value - value == 0:
        return float(value)
    if depth < _DEEPEST:
        if isinstance(value, dict):
            return {_key(key): sealed(item, depth + 1) for key, item in list(value.items())}
        if isinstance(value, (list, tuple)):
            return [sealed(item, depth + 1) for item in list(value)]
        if not isinstance(value, (int, float)):
            try:
                return sealed(plain(value), depth + 1)
            except NotJson:
                pass
    return _text(value)


def _key(value):
    """Numbers of numpy and dates as they are elsewhere; Python's own as Python writes them."""
    if value is None or isinstance(value, (str, int, float)):
        return _text(value)
    try:
        return _text(plain(value))
    except NotJson:
        return _text(value)


def _text(value):
    if isinstance(value, str):
        return clean(value)
    try:
        return clean(str(value))
    except ValueError:
        # Python refuses to write very large integers in decimal.
        return hex(value) if isinstance(value, int) else _unprintable(value)
    except Exception:
        return _unprintable(value)


def _unprintable(value):
    return "<%s that cannot be printed>" % type(value).__name__


def check(value, depth=0):
    """ValueError where a decoded JSON value is nested too deeply, or holds text that UTF-8 cannot."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode("utf-8")
    elif isinstance(value, (dict, list)):
        if depth > _DEEPEST + 20:
            raise ValueError("nested too deeply")
        if isinstance(value, dict):
            for key in value:
                check(key, depth)
            value = value.values()
        for item in value:
            check(item, depth + 1)
