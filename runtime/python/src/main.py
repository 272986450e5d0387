"""The program of an executor process for Python: `main.py LIMITS` serves calls, `main.py --probe` says what is there.

It is started with `-I -S -B`, so that neither the environment, the current folder nor `.pth` files decide what it
runs; the folders of installed packages are therefore added here, and only here.
"""

import builtins
import importlib.machinery
import importlib.util
import os
import sys
import types

PROGRAM_FOLDER = os.path.dirname(os.path.abspath(__file__))


def package_folders():
    """Where this interpreter's packages are: Debian's and the machine's own, or those of another installation."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.prefix == "/usr":
        return [f"/usr/local/lib/{version}/dist-packages", "/usr/lib/python3/dist-packages"]
    return [f"{sys.prefix}/lib/{version}/site-packages"]


class OwnLoader(importlib.machinery.SourceFileLoader):
    """Gives the worker's modules a copy of the built-ins: a function that changes them must not break the frames."""

    _builtins = dict(vars(builtins))

    def exec_module(self, module):
        module.__dict__["__builtins__"] = self._builtins
        super().exec_module(module)


class OwnFinder:
    """Finds the worker's modules, and only by their full name: its folder is not on the path of functions."""

    @staticmethod
    def find_spec(name, _path=None, _target=None):
        package, _, rest = name.partition(".")
        if package != "gantry_worker":
            return None
        file = os.path.join(PROGRAM_FOLDER, package, f"{rest or '__init__'}.py")
        folders = None if rest else [os.path.dirname(file)]
        return importlib.util.spec_from_file_location(
            name, file, loader=OwnLoader(name, file), submodule_search_locations=folders
        )


def probe():
    import json

    def has(name):
        try:
            return importlib.util.find_spec(name) is not None
        except ImportError:
            return False

    found = {
        "version": list(sys.version_info[:2]),
        "cloudpickle": has("cloudpickle"),
        "protobuf": has("google.protobuf"),
    }
    sys.stdout.write(json.dumps(found))


def main():
    sys.path.extend(folder for folder in package_folders() if os.path.isdir(folder))
    if sys.argv[1:] == ["--probe"]:
        probe()
        return
    # A function that computes has one processor; the threads of linear algebra would only take memory.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    sys.meta_path.insert(0, OwnFinder)
    from gantry_worker.worker import Worker

    limits = sys.argv[1]
    sys.argv[:] = [""]
    # A function must not find the worker where it looks for its own `__main__`.
    sys.modules["__main__"] = types.ModuleType("__main__")
    Worker.from_json(limits, PROGRAM_FOLDER).serve()


main()
