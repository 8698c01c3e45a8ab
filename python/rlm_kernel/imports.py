"""What is done to modules when the code imports them: importing them ourselves would cost every sandbox."""

import os
import sys


def keep_bytecode_outside(folder):
    """Bytecode of the workspace goes to `folder`, not into the tree.

    By `sys.pycache_prefix` alone that of the standard library and of what is installed would be looked for there too,
    and compiled anew in each sandbox: 60 ms for `traceback`, several hundred for asyncio.
    """
    # Before the prefix counts, for the same reason.
    from importlib import machinery

    sys.pycache_prefix = folder
    if folder is None:
        return
    workspace = os.getcwd()
    installed = tuple(
        entry + "/"
        for entry in sys.path
        if entry.startswith("/") and not (entry + "/").startswith(workspace + "/") and not _compiled_in(folder, entry)
    )
    finder = _finder_of_installed(machinery, folder)

    def hook(path):
        if (path + "/").startswith(installed):
            return finder(path)
        raise ImportError("not installed", path=path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def _finder_of_installed(machinery, folder):
    """A path hook whose modules have their bytecode beside their source."""

    class Loader(machinery.SourceFileLoader):
        def get_data(self, path):
            if path.startswith(folder) and path.endswith(".pyc"):
                place, _, name = path[len(folder) :].rpartition("/")
                try:
                    return super().get_data("%s/__pycache__/%s" % (place, name))
                except OSError:
                    pass
            return super().get_data(path)

    return machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (Loader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )


def _compiled_in(folder, entry):
    """Whether a place for modules has its bytecode in `folder` only: it was installed while that was in use."""
    return folder is not None and os.path.isdir(folder + entry) and not os.path.isdir(entry + "/__pycache__")


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


def _prefer_fork(multiprocessing):
    """The code's functions live in a `__main__` without a file: only a fork can find them. The default since 3.14
    is another one; the code may still choose."""
    if sys.version_info >= (3, 14):
        multiprocessing.context._default_context._default_context = multiprocessing.get_context("fork")


def _ignore_ends_of_blocks(asyncio_log):
    """A task that FINAL or the time limit ended has no exception that somebody should have retrieved."""
    asyncio_log.logger.addFilter(
        lambda record: not (record.exc_info and issubclass(record.exc_info[0], KeyboardInterrupt))
    )


def _run_beside_a_loop(asyncio):
    """`asyncio.run` in a block that awaits: its loop runs already, so that the other one gets a thread of its own."""
    import functools

    run = asyncio.run

    @functools.wraps(run)
    def run_anywhere(*arguments, **options):
        if not _is_in_a_loop(asyncio):
            return run(*arguments, **options)
        return _in_a_thread(lambda: run(*arguments, **options))

    asyncio.run = run_anywhere


def _is_in_a_loop(asyncio):
    try:
        asyncio.get_running_loop()
        return True
    except RuntimeError:
        return False


def _in_a_thread(work):
    import threading

    results, errors = [], []

    def attempt():
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def act_on_imports(seed, remember_sources):
    """Once for a REPL. `remember_sources(linecache)` makes the source of the blocks so far known to it."""
    actions = {
        # Random numbers repeat themselves when a sandbox is rebuilt.
        "random": lambda module: module.seed(seed),
        "numpy.random": lambda module: module.seed(seed % (1 << 32)),
        "multiprocessing": _prefer_fork,
        "linecache": remember_sources,
        "asyncio.log": _ignore_ends_of_blocks,
        "asyncio": _run_beside_a_loop,
    }
    for name in list(actions):
        if name in sys.modules:
            try:
                actions.pop(name)(sys.modules[name])
            except Exception:
                pass
    sys.meta_path.insert(0, AfterImport(actions))
