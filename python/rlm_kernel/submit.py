"""SUBMIT, and FINAL where a signature says what the result is."""

from rlm_kernel.typed import Checker
from rlm_kernel.field_types import render


class Submission:
    def __init__(self, bridge, outputs):
        self._bridge = bridge
        self._types = {field["name"]: field["type"] for field in outputs}
        self._usage = "SUBMIT(%s)" % ", ".join("%s: %s" % (name, render(type)) for name, type in self._types.items())

    def function(self):
        """SUBMIT with the signature that its fields give it."""
        names = list(self._types)

        def submit(*arguments, **fields):
            if len(arguments) > len(names):
                raise TypeError("SUBMIT: there are %d fields, not %d: %s" % (len(names), len(arguments), self._usage))
            given = dict(zip(names, arguments))
            twice = [name for name in given if name in fields]
            if twice:
                raise TypeError("SUBMIT: %s is given twice" % twice[0])
            self._finish("SUBMIT", {**given, **fields})

        submit.__name__ = submit.__qualname__ = "SUBMIT"
        submit.__doc__ = "Ends the work with the result: %s. Fields are checked; what is wrong is raised." % self._usage
        # What `inspect` and `help` show.
        scope = {}
        heads = ["%s: %r" % (name, render(type)) for name, type in self._types.items()]
        exec("def SUBMIT(%s): pass" % ", ".join(heads), scope)
        submit.__wrapped__ = scope["SUBMIT"]
        return submit

    def final(self, value, name="FINAL"):
        """FINAL gives the only field, or all of them as one dict."""
        if len(self._types) == 1:
            self._finish(name, {field: value for field in self._types})
        elif isinstance(value, dict) and set(value) == set(self._types):
            self._finish(name, value)
        else:
            raise TypeError("%s gives one value and there are %d fields: call %s" % (name, len(self._types), self._usage))

    def _finish(self, name, fields):
        checker = Checker()
        found = {}
        for field, type in self._types.items():
            if field in fields:
                found[field] = checker.convert(fields[field], type, (None, field))
            else:
                checker.missing((None, field), type)
        for field in fields:
            if field not in self._types:
                checker.unknown((None, field), list(self._types), "field")
        if checker.count == 0:
            self._bridge.end_with(found, name)
        raise _error(name, checker, self._usage)


def _error(name, checker, usage):
    kind = TypeError if checker.wrong_type else ValueError
    if checker.count == 1:
        return kind("%s: %s\n(nothing was submitted; expected %s)" % (name, checker.text(), usage))
    text = checker.text().replace("\n", "\n  ")
    return kind("%s: %d problems, nothing was submitted:\n  %s\nexpected %s" % (name, checker.count, text, usage))
