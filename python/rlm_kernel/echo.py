"""Compiles and runs a block; renders what went wrong."""

import ast
import os

_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_MOST_LINES = 50
_OURS = os.path.dirname(__file__)


def compile_block(code, name):
    """[code objects]: the statements, and a last expression by itself, to be echoed. Those with `await` are coroutines."""
    tree = compile(code, name, "exec", ast.PyCF_ONLY_AST | _AWAIT, True)
    if not tree.body or not isinstance(tree.body[-1], ast.Expr):
        return [compile(tree, name, "exec", _AWAIT, True)]
    last = ast.Interactive(body=[tree.body.pop()])
    first = [compile(tree, name, "exec", _AWAIT, True)] if tree.body else []
    return [*first, compile(last, name, "single", _AWAIT, True)]


def remember_source(linecache, code, name):
    """So that tracebacks and inspect show the lines of blocks."""
    linecache.cache[name] = (len(code), None, [line + "\n" for line in code.split("\n")], name)


def describe(error, limit):
    """The traceback of an exception without our own frames, at most about `limit` characters."""
    import traceback

    try:
        report = traceback.TracebackException(type(error), error, error.__traceback__)
        _drop_our_frames(report)
        text = "".join(report.format())
    except Exception as failure:
        text = "%s (its traceback cannot be shown: %r)\n" % (type(error).__name__, failure)
    if len(text) > limit:
        text = "%s\n... [%d characters left out] ...\n%s" % (text[: limit // 2], len(text) - limit, text[-limit // 2 :])
    return text.rstrip("\n")


def describe_briefly(error, failure):
    """Without running any of the code's own, or importing anything."""
    lines, trace = ["Traceback (most recent call last):"], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if os.path.dirname(code.co_filename) != _OURS:
            lines.append('  File "%s", line %d, in %s' % (code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    name = type(error).__name__
    if type(error) is not KeyboardInterrupt:
        name += " (its text cannot be shown: %s)" % type(failure).__name__
    return "\n".join([*lines[:1], *lines[1:][-_MOST_LINES:], name])


def _drop_our_frames(report, seen=None):
    seen = set() if seen is None else seen
    if report is None or id(report) in seen:
        return
    seen.add(id(report))
    kept = [frame for frame in report.stack if os.path.dirname(frame.filename) != _OURS]
    if len(kept) < len(report.stack):
        # Behind our own come those of the loop that runs a block with `await`.
        while kept and os.path.basename(os.path.dirname(kept[0].filename)) == "asyncio":
            del kept[0]
    del report.stack[:]
    report.stack.extend(kept)
    _drop_our_frames(report.__cause__, seen)
    _drop_our_frames(report.__context__, seen)
    for inner in getattr(report, "exceptions", None) or ():
        _drop_our_frames(inner, seen)
