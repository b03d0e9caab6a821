"""The machine and the installation that code is taken to run on: what it asks about them."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import INERT, Args, Data, External, Handler, Kwargs

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def _variable(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`os.environ.get(name, default)`."""
    given = [*args, *kwargs.values()]
    if not given or not isinstance(given[0], str):
        return vm.open("an environment variable", metadata=True)
    vm.assume(f"the environment variable {given[0]} is not set")
    return given[1] if len(given) > 1 else None


# The releases that code is taken to run with: what it does on an older one is another branch of the same source.
INSTALLED = {"torch": "2.13.0", "tensorflow": "2.20.0", "keras": "3.12.0", "jax": "0.8.0", "numpy": "2.3.0"}


def _find_spec(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """Whether a package is there: frameworks are, optional kernels and back ends are not."""
    name = args[0] if args else None
    if not isinstance(name, str):
        return vm.open("whether a package is installed", metadata=True)
    vm.assume(f"the package {name} is {'installed' if name in INSTALLED else 'not installed'}")
    return INERT if name in INSTALLED else None


def _import_module(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """A module whose name the code makes at run time, where the name is known."""
    given = [*args, kwargs.get("package")]
    name, package = given[0], given[1]
    if not isinstance(name, str):
        return vm.not_known(name, "a module whose name is not known")
    dotted = name
    if name.startswith("."):
        if not isinstance(package, str):
            return vm.not_known(package, "a module beside a package that is not known")
        parts = package.split(".")
        dotted = ".".join([*parts[: len(parts) - (len(name) - len(name.lstrip(".")) - 1)], name.lstrip(".")])
    found = vm.module(dotted)
    return External(dialects.canonical(dotted)) if found is None else found


def import_by_name(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`__import__(name)`: the package at the top of a module's name. One that is neither at hand nor known is taken as
    not installed: code that imports so is ready for that."""
    name = args[0] if args else kwargs.get("name")
    if not isinstance(name, str):
        return vm.not_known(name, "a module whose name is not known")
    top = name.partition(".")[0]
    found = vm.module(top)
    if found is not None:
        return found
    if dialects.has_package(top) or top in sys.stdlib_module_names:
        return External(top)
    from archcheck.frontends.static.outcomes import Raised

    vm.assume(f"the package {top} is not installed")
    raise Raised("ImportError", f"{top} is taken as not installed", vm.here())


def _installed_version(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    name = args[0] if args else None
    if isinstance(name, str) and name in INSTALLED:
        vm.assume(f"{name} {INSTALLED[name]} is installed")
        return INSTALLED[name]
    from archcheck.frontends.static.outcomes import Raised

    raise Raised("PackageNotFoundError", f"{name} is taken as not installed", vm.here())


class Version(tuple[int, ...]):
    """A version as the tuple of its numbers, which compares as versions do."""

    names = ("major", "minor", "micro")  # of its first parts


def _parse_version(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    text = args[0] if args else None
    if not isinstance(text, str):
        return text if isinstance(text, (Open, tuple)) else vm.open("a version", metadata=True)
    return Version(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:3])


ENVIRONMENT: dict[str, Handler] = {
    "importlib.util.find_spec": _find_spec,
    "importlib.import_module": _import_module,
    "importlib.metadata.version": _installed_version,
    "packaging.version.parse": _parse_version,
    "packaging.version.Version": _parse_version,
    "os.environ.get": _variable,
    "os.getenv": _variable,
}
