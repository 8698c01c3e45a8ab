"""The bodies of requests, checked field by field."""

from rlm_kernel.connection import HttpError
from rlm_kernel.limits import NAME_LENGTH, OUTPUT_LIMIT

_TYPES = ("str", "list[str]", "any")


def _check(condition, what):
    if not condition:
        raise HttpError(400, "malformed", what)


def whole(body, name, least=0, most=1 << 53):
    value = body.get(name)
    _check(isinstance(value, int) and not isinstance(value, bool), "%s must be a whole number" % name)
    _check(least <= value <= most, "%s is out of range" % name)
    return value


def text(body, name):
    value = body.get(name)
    _check(isinstance(value, str), "%s must be a string" % name)
    return value


def _is_name(name):
    return name.isidentifier() and not name.startswith("__") and len(name) <= NAME_LENGTH


def check_setup(body):
    whole(body, "seed", -(1 << 53))
    _check("\0" not in text(body, "cwd"), "cwd must be a path")
    variables = body.get("variables")
    _check(isinstance(variables, dict) and all(map(_is_name, variables)), "variables must be named values")
    functions = body.get("functions")
    _check(isinstance(functions, list), "functions must be a list")
    for function in functions:
        _check_function(function)
    if "outputs" in body or "inputs" in body:
        _check_fields(body, [*variables, *(function["name"] for function in functions)])


def _check_function(function):
    _check(isinstance(function, dict), "a function must be an object")
    _check(_is_name(text(function, "name")), "a function's name must be an identifier")
    text(function, "doc")
    parameters = function.get("parameters")
    _check(isinstance(parameters, list), "parameters must be a list")
    for parameter in parameters:
        _check(isinstance(parameter, dict), "a parameter must be an object")
        _check(_is_name(text(parameter, "name")), "a parameter's name must be an identifier")
        _check(parameter.get("type") in _TYPES, "a parameter's type must be one of %s" % ", ".join(_TYPES))
        for flag in ("keyword_only", "optional"):
            _check(isinstance(parameter.get(flag, False), bool), "%s must be true or false" % flag)
        if "annotation" in parameter:
            text(parameter, "annotation")
    if "variables" not in function:
        return
    _check(function["variables"] in ("one", "each"), "the variables of a function are one or each")
    names = [parameter["name"] for parameter in parameters]
    _check("variables" not in names, "a function that takes variables has no parameter of that name")
    first = parameters[0] if parameters else {}
    _check(
        function["variables"] == "one" or (first.get("type") == "list[str]" and "default" not in first),
        "the first parameter of a function that takes variables for each must be a list[str] without a default",
    )


def _check_fields(body, taken):
    from rlm_kernel.field_types import is_type
    from rlm_kernel.loading import FORMATS

    outputs, inputs = body.get("outputs", []), body.get("inputs", [])
    for name, fields in (("outputs", outputs), ("inputs", inputs)):
        _check(isinstance(fields, list), "%s must be a list" % name)
        for field in fields:
            _check(isinstance(field, dict), "a field must be an object")
            _check(_is_name(text(field, "name")), "a field's name must be an identifier")
            _check("type" not in field or is_type(field["type"]), "the type of %s is none" % field["name"])
    _check("outputs" not in body or outputs, "outputs must not be empty")
    _check(all("type" in field for field in outputs), "an output must have a type")
    _check(all(field.get("format") in FORMATS for field in inputs), "a format is one of " + ", ".join(FORMATS))
    names = [field["name"] for field in inputs]
    _check(len({*names, *taken}) == len(names) + len({*taken}), "two inputs, variables or functions have one name")
    names = [field["name"] for field in outputs]
    _check(len({*names}) == len(names), "two outputs have one name")


def check_exec(body):
    """(number, head, code, timeout, output_limit)"""
    timeout = body.get("timeout")
    _check(isinstance(timeout, (int, float)) and not isinstance(timeout, bool), "timeout must be a number")
    _check(0 < timeout <= 1e9, "timeout is out of range")
    _check(len(text(body, "head")) <= NAME_LENGTH, "head is too long")
    return (
        whole(body, "block", 1),
        text(body, "head"),
        text(body, "code"),
        timeout,
        whole(body, "output_limit", 0, OUTPUT_LIMIT),
    )


def check_answers(body):
    """[(call, value, reports)]: `reports` is what more is known of sub-agents' reports in the value, by their place."""
    answers = body.get("answers")
    _check(isinstance(answers, list), "answers must be a list")
    for answer in answers:
        _check(isinstance(answer, dict) and "value" in answer, "an answer must have a call and a value")
        text(answer, "call")
        _check_reports(answer.get("reports", {}))
    return [(answer["call"], answer["value"], answer.get("reports", {})) for answer in answers]


def _check_reports(reports):
    objects = isinstance(reports, dict) and all(isinstance(each, dict) for each in reports.values())
    _check(objects, "reports must be objects by their place")
    for report in reports.values():
        for name in ("whole", "patch"):
            _check(isinstance(report.get(name), (str, type(None))), "%s of a report must be a text" % name)
        _check(isinstance(report.get("usage", {}), dict), "usage of a report must be an object")
