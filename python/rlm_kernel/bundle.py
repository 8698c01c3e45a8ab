"""Builds the kernel for one interpreter: a single precompiled file that Python runs as it is.

    python bundle.py FOLDER    prints the path of kernel-<version>-<hash>.pyc in FOLDER

Not a zip: `runpy` and `zipimport` would cost every sandbox 5 ms. The file holds the code of every module; a small
finder hands them out. It is built once for each content and Python version, and put in place at once, so that
several may build it at the same time.
"""

import hashlib
import importlib.util
import marshal
import os
import sys

_BOOTSTRAP = """
import marshal, sys

if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    # The folder of this file.
    del sys.path[0]

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in MODULES:
            return Spec(name, Finder, origin=origin(name), is_package=name == "rlm_kernel")

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        module.__file__ = origin(module.__name__)
        exec(marshal.loads(MODULES[module.__name__]), module.__dict__)

def origin(name):
    return "<kernel>/" + name.rpartition(".")[2] + ".py"

Spec = type(sys.__spec__)
MODULES = %r
sys.meta_path.insert(0, Finder)
from rlm_kernel.start import main

main()
"""


def _sources():
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py") and name not in ("__main__.py", "bundle.py"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                module = name[:-3]
                yield "rlm_kernel" if module == "__init__" else "rlm_kernel." + module, module, file.read()


def build(folder):
    sources = list(_sources())
    version = "%d.%d.%d" % sys.version_info[:3]
    content = repr((_BOOTSTRAP, sources, importlib.util.MAGIC_NUMBER, sys.version)).encode()
    path = os.path.join(folder, "kernel-%s-%s.pyc" % (version, hashlib.sha256(content).hexdigest()[:20]))
    if os.path.exists(path):
        return path
    modules = {
        name: marshal.dumps(compile(source, "<kernel>/%s.py" % file, "exec", dont_inherit=True))
        for name, file, source in sources
    }
    code = compile(_BOOTSTRAP % modules, "<kernel>/bootstrap.py", "exec", dont_inherit=True)
    os.makedirs(folder, exist_ok=True)
    temporary = "%s.%d.%s" % (path, os.getpid(), os.urandom(4).hex())
    with open(temporary, "wb") as file:
        # Magic number, then flags, time and size, which are not looked at for the main program.
        file.write(importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))
        os.fchmod(file.fileno(), 0o644)
    os.replace(temporary, path)
    return path


if __name__ == "__main__":
    print(build(sys.argv[1]))
