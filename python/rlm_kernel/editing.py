"""`edit_file`, as the code sees it."""

import os


def edit_file(path, old, new, replace_all=False):
    """Replaces the text `old` in the file by `new`.

    `old` must occur exactly once, unless replace_all is true; a `.py` file must still parse afterwards. Otherwise
    an error says why and the file is left as it was. Returns a short confirmation.
    """
    for name, value in (("old", old), ("new", new)):
        if not isinstance(value, str):
            raise TypeError("edit_file: %s must be a string, not %s" % (name, type(value).__name__))
    if not old:
        raise ValueError("edit_file: old is empty; give the text to be replaced")
    if old == new:
        raise ValueError("edit_file: old and new are the same text")
    before = _read(path)
    # The file's own newline style counts, whatever style the arguments have.
    if "\r\n" in before and "\r\n" not in old and "\n" not in before.replace("\r\n", ""):
        old, new = old.replace("\n", "\r\n"), new.replace("\r\n", "\n").replace("\n", "\r\n")
    count = before.count(old)
    if count == 0:
        raise ValueError("edit_file: old was not found in %s%s" % (path, _hint(before, old)))
    if count > 1 and not replace_all:
        raise ValueError(
            "edit_file: old occurs %d times in %s (lines %s); add text around it until it is unique, "
            "or pass replace_all=True" % (count, path, _lines(before, old))
        )
    after = before.replace(old, new)
    if str(path).endswith(".py"):
        _check_python(path, after)
    _write(path, after)
    places = "1 place" if count == 1 else "%d places" % count
    return "Edited %s: %s changed, at line%s %s." % (
        path,
        places,
        "" if count == 1 else "s",
        _lines(before, old),
    )


def _read(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def _write(path, text):
    """In place of the old file at once, its mode kept; through a symbolic link, to what it names."""
    data = text.encode("utf-8", "surrogateescape")
    target = os.path.realpath(path)
    status = os.stat(target)
    temporary = "%s.%s.edit" % (target, os.urandom(4).hex())
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
        if status.st_nlink > 1:
            raise OSError("hard links")
        os.replace(temporary, target)
    except OSError:
        # No right to make files beside it, or other names for it: written in place.
        try:
            os.unlink(temporary)
        except OSError:
            pass
        with open(target, "r+b") as file:
            file.write(data)
            file.truncate()


def _lines(text, old):
    numbers, position = [], text.find(old)
    while position >= 0 and len(numbers) < 10:
        numbers.append(str(text.count("\n", 0, position) + 1))
        position = text.find(old, position + len(old))
    return ", ".join(numbers) + (", ..." if position >= 0 else "")


def _hint(text, old):
    first = old.strip().split("\n")[0].strip()
    if not first:
        return ""
    for number, line in enumerate(text.split("\n"), 1):
        if first in line:
            return "; its first line occurs at line %d, so compare indentation and what follows" % number
    return "; its first line does not occur either"


def _check_python(path, text):
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text.encode("utf-8", "surrogateescape"), str(path), "exec", 0x400, True)
    except SyntaxError as error:
        raise SyntaxError(
            "edit_file: %s would no longer parse, so it was left as it was: line %s: %s"
            % (path, error.lineno, error.msg)
        ) from None
    except ValueError as error:
        raise ValueError("edit_file: %s would no longer parse, so it was left as it was: %s" % (path, error)) from None
