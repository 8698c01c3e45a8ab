"""What Python's many kinds of values are in JSON: told by what they can do, so that nothing is imported for it."""

import os
import sys

JSON_TYPES = (str, bool, int, float, type(None), list, tuple, dict)
_VIEWS = (range, type({}.keys()), type({}.values()), type({}.items()))
_PROXY = type(type.__dict__)
_MOST_STEPS = 10
_FINE_TIMES = tuple("datetime64[%s]" % unit for unit in ("ns", "ps", "fs", "as"))


class NotJson(Exception):
    """`advice`: what to write in its place."""

    def __init__(self, advice):
        super().__init__(advice)
        self.advice = advice


def plain(value, wanted=()):
    """The value as one of JSON_TYPES, one level deep; NotJson where there is no obvious one.

    `wanted`: kinds of types it is checked against. A pandas Series is a list or, with labels, a dict.
    """
    for _ in range(_MOST_STEPS):
        if type(value) in JSON_TYPES:
            return value
        try:
            value = _step(value, wanted)
        except NotJson:
            raise
        except Exception as error:
            raise NotJson("turning it into JSON failed (%s)" % type(error).__name__) from None
        if value is None or type(value) in JSON_TYPES or _is_named_tuple(value):
            return value
    raise NotJson("convert it first")


def _is_named_tuple(value):
    return isinstance(value, tuple) and isinstance(getattr(type(value), "_fields", None), tuple)


def fields_of(value):
    """The fields of a namedtuple as a dict; None for any other value."""
    if _is_named_tuple(value):
        return {name: value[index] for index, name in enumerate(type(value)._fields)}
    return None


def _step(value, wanted):
    if _is_a(value, "enum", "Enum"):
        return value.value
    if _is_named_tuple(value):
        return value
    for base in (str, int, float, list, tuple, dict):
        if isinstance(value, base):
            return _as_base(base, value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise NotJson("JSON has no bytes: decode them, or use base64")
    if isinstance(value, (set, frozenset)):
        raise NotJson("JSON has no sets: write sorted(...)")
    for rule in (_from_standard_library, _from_records, _from_tables):
        found = rule(value, wanted) if rule is _from_tables else rule(value)
        if found is not _NOTHING:
            return found
    raise NotJson(_advice(value))


_NOTHING = object()


def _as_base(base, value):
    if base is str:
        return str.__str__(value)
    return base.__int__(value) if base is int else base.__float__(value) if base is float else base(value)


def _is_a(value, module, *names):
    """isinstance, without importing: what was never imported has no instances."""
    loaded = sys.modules.get(module)
    kinds = tuple(kind for kind in (getattr(loaded, name, None) for name in names) if isinstance(kind, type))
    return isinstance(value, kinds)


def _from_standard_library(value):
    if _is_a(value, "datetime", "date", "time"):
        # pandas' NaT is one, and unequal to itself.
        return value.isoformat() if value == value else None
    if _is_a(value, "datetime", "timedelta"):
        raise NotJson("write its total_seconds()")
    if _is_a(value, "decimal", "Decimal"):
        return _from_decimal(value)
    if _is_a(value, "uuid", "UUID"):
        return str(value)
    if hasattr(type(value), "__fspath__"):
        return os.fsdecode(os.fspath(value))
    if isinstance(value, _VIEWS) or _is_a(value, "collections", "deque", "UserList"):
        return list(value)
    if isinstance(value, _PROXY) or _is_a(value, "collections.abc", "Mapping"):
        return dict(value.items())
    return _NOTHING


def _from_decimal(value):
    if not value.is_finite():
        raise NotJson("JSON has no %s: use None" % str(value).lower())
    if value == value.to_integral_value() and value.as_tuple().exponent >= 0:
        return int(value)
    near = float(value)
    if type(value)(repr(near)) != value:
        raise NotJson("it has more digits than a float: write float(...) or str(...)")
    return near


def _from_records(value):
    """Dataclasses, pydantic's models, attrs."""
    kind = type(value)
    if isinstance(value, type):
        return _NOTHING
    if isinstance(getattr(kind, "__dataclass_fields__", None), dict):
        return {name: getattr(value, name) for name in kind.__dataclass_fields__ if hasattr(value, name)}
    if callable(getattr(kind, "model_dump", None)):
        return value.model_dump()
    if isinstance(getattr(kind, "__attrs_attrs__", None), tuple):
        return {attribute.name: getattr(value, attribute.name) for attribute in kind.__attrs_attrs__}
    return _NOTHING


def _from_tables(value, wanted):
    """numpy, pandas, polars, torch and their like."""
    kind = type(value)
    if kind.__name__ == "NAType":
        return None
    times = getattr(getattr(value, "dtype", None), "kind", "")
    if str(getattr(value, "dtype", "")) in _FINE_TIMES and kind.__module__ == "numpy":
        # Dates; these alone would become numbers.
        return value.astype("datetime64[us]").tolist()
    if times == "m":
        raise NotJson("write its seconds as a number")
    if callable(getattr(kind, "to_dicts", None)):
        return value.to_dicts()
    if callable(getattr(kind, "to_dict", None)) and hasattr(value, "columns"):
        return [_with_nulls(record) for record in _with_labels(value).to_dict("records")]
    if callable(getattr(kind, "to_dict", None)) and hasattr(value, "index"):
        is_list = bool(_LISTS.intersection(wanted)) and not _DICTS.intersection(wanted)
        if _DICTS.intersection(wanted) or (not is_list and _labels(value) != "numbers"):
            if getattr(value.index, "nlevels", 1) > 1:
                raise NotJson("its index has several levels: write .reset_index()")
            return _with_nulls(value.to_dict())
    for name in ("tolist", "to_list"):
        if callable(getattr(kind, name, None)):
            items = getattr(value, name)()
            return [_present(item) for item in items] if kind.__module__.startswith("pandas.") else items
    return _NOTHING


_LISTS, _DICTS = {"list", "tuple", "tuple_of"}, {"dict", "object"}


def _labels(table):
    """Of the index of a pandas table: named, numbers or others."""
    names, dtype = getattr(table.index, "names", ()), getattr(table.index, "dtype", None)
    if any(name is not None for name in names):
        return "named"
    return "numbers" if getattr(dtype, "kind", "i") in "iu" or len(table) == 0 else "others"


def _with_labels(frame):
    """The data frame with what its index says among its columns; numbers of rows say nothing."""
    labels = _labels(frame) if hasattr(frame, "index") else "numbers"
    if labels == "others":
        raise NotJson("its rows have labels: write .reset_index(), or .reset_index(drop=True) to leave them out")
    return frame.reset_index() if labels == "named" else frame


def _with_nulls(record):
    return {key: _present(item) for key, item in record.items()}


def _present(item):
    """What a table lacks is NaN in pandas, whatever the column's type; in JSON it is null, as pandas itself writes it."""
    return None if item.__class__ is float and item != item else item


def _advice(value):
    if isinstance(value, type):
        return "it is a class"
    if hasattr(type(value), "__next__"):
        return "write list(...)"
    if callable(value):
        return "call it" if hasattr(value, "__code__") else "it is a function"
    return "JSON has no %s objects: convert it to a dict, a list or a str" % type(value).__name__
