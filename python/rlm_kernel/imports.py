"""What is done to modules when the code imports them: importing them ourselves would cost every sandbox."""

import sys


class AfterImport:
    """A finder that lets the others find, and calls `actions[name](module)` when that module has been loaded."""

    def __init__(self, actions):
        self._actions = actions

    def find_spec(self, name, path=None, target=None):
        action = self._actions.pop(name, None)
        if action is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    _act_after_loading(spec, action)
                return spec
        return None


def _act_after_loading(spec, action):
    loader = spec.loader

    class Loader:
        def create_module(self, spec):
            return loader.create_module(spec)

        def exec_module(self, module):
            spec.loader = module.__loader__ = module.__spec__.loader = loader
            loader.exec_module(module)
            try:
                action(module)
            except Exception:
                pass

    spec.loader = Loader()


def seed_random(seed):
    """Python's and numpy's random numbers repeat themselves when a sandbox is rebuilt."""
    actions = {
        "random": lambda module: module.seed(seed),
        "numpy.random": lambda module: module.seed(seed % (1 << 32)),
        # The code's functions live in a `__main__` without a file: only a fork can find them.
        "multiprocessing": lambda module: module.set_start_method("fork"),
    }
    for name in list(actions):
        if name in sys.modules:
            try:
                actions.pop(name)(sys.modules[name])
            except Exception:
                pass
    sys.meta_path.insert(0, AfterImport(actions))
