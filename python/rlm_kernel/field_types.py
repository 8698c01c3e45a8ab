"""The types of a signature's fields, as the setup gives them (src/domain/signature/field-type.ts), and their names."""

_SIMPLE = {"str": "str", "int": "int", "float": "float", "bool": "bool", "none": "None", "any": "Any"}
_DEEPEST = 120


def is_type(value, depth=0):
    """Whether a decoded JSON value is a type."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return False
    kind = value.get("kind")
    if not isinstance(kind, str):
        return False
    if kind in _SIMPLE:
        return True
    if kind in ("list", "tuple_of"):
        return is_type(value.get("item"), depth + 1)
    if kind == "dict":
        return is_type(value.get("key"), depth + 1) and is_type(value.get("value"), depth + 1)
    if kind in ("tuple", "union"):
        members = value.get("items" if kind == "tuple" else "members")
        return isinstance(members, list) and all(is_type(member, depth + 1) for member in members)
    if kind == "literal":
        values = value.get("values")
        return isinstance(values, list) and all(each is None or isinstance(each, (str, int)) for each in values)
    if kind == "object":
        additional, properties = value.get("additional"), value.get("properties")
        return (
            (additional is None or is_type(additional, depth + 1))
            and isinstance(properties, list)
            and all(_is_property(each, depth + 1) for each in properties)
        )
    return False


def _is_property(value, depth):
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("required"), bool)
        and is_type(value.get("type"), depth)
    )


def render(type):
    """As Python writes it; objects with known keys in braces."""
    kind = type["kind"]
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind == "list":
        return "list" if type["item"]["kind"] == "any" else "list[%s]" % render(type["item"])
    if kind == "tuple_of":
        return "tuple" if type["item"]["kind"] == "any" else "tuple[%s, ...]" % render(type["item"])
    if kind == "tuple":
        return "tuple[%s]" % (", ".join(map(render, type["items"])) or "()")
    if kind == "dict":
        if type["key"]["kind"] == "any" and type["value"]["kind"] == "any":
            return "dict"
        return "dict[%s, %s]" % (render(type["key"]), render(type["value"]))
    if kind == "literal":
        return "Literal[%s]" % ", ".join(map(repr, type["values"]))
    if kind == "union":
        return " | ".join(map(render, type["members"]))
    return _render_object(type)


def _render_object(type):
    entries = []
    for each in type["properties"]:
        name = each["name"] if each["name"].isidentifier() else repr(each["name"])
        entries.append("%s%s: %s" % (name, "" if each["required"] else "?", render(each["type"])))
    additional = type["additional"]
    if additional is not None:
        entries.append("..." if additional["kind"] == "any" else "...: " + render(additional))
    return "{%s}" % ", ".join(entries)
