"""What modules hold is evaluated once: no reading may tell whether another came before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcheck.frontends.static.library import Library, Root
from archcheck.frontends.static.reader import Reading, read

HEAD = """
import os
import torch
from torch import nn
from helpers import *
"""

IN_TURN = """
    def forward(self, x):
        for map in self.maps:
            x = map(x)
        return x

class Second(First):
    pass
"""
CASES = {
    "a table that a run changes": """
SIZES = [8]

class First(nn.Module):
    def __init__(self):
        super().__init__()
        SIZES.append(16)
        self.maps = nn.ModuleList([nn.Linear(8, size) for size in SIZES])
    def forward(self, x):
        return [map(x) for map in self.maps]

class Second(First):
    pass
""",
    "a counter of a class": """
class First(nn.Module):
    built = 0
    def __init__(self):
        super().__init__()
        First.built += 1
        self.maps = nn.ModuleList([nn.Linear(8, 8) for _ in range(First.built)])
"""
    + IN_TURN,
    "a name of the module": """
depth = 1

def deeper():
    global depth
    depth += 1
    return depth

class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.ModuleList([nn.Linear(8, 8) for _ in range(deeper())])
"""
    + IN_TURN,
    "variables of a function around": """
def counter():
    seen = []
    def count():
        seen.append(1)
        return len(seen)
    return count

count = counter()

class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.ModuleList([nn.Linear(8, 8) for _ in range(count())])
"""
    + IN_TURN,
    "a registry": """
BLOCKS = {}

def register(cls):
    BLOCKS[cls.__name__] = cls
    return cls

@register
class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(8, len(BLOCKS))
    def forward(self, x):
        return self.map(x)

@register
class Second(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(8, len(BLOCKS))
        self.other = BLOCKS["First"]()
    def forward(self, x):
        return self.map(self.other(x))
""",
    "a decision of the run": """
if os.environ["FAST"]:
    act = nn.ReLU
else:
    act = nn.GELU
scale = torch.ones(8)
shared = nn.Linear(8, 8)

class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.map = act(), shared
    def forward(self, x):
        return self.act(self.map(x) * scale)

class Second(First):
    def forward(self, x):
        return self.map(x) + scale
""",
    "what could not be read": """
import nowhere

@nowhere.wrap
def norm(x, eps=nowhere.EPS):
    return x - x.mean(-1, keepdim=True)

class Base(nowhere.Mixin, nn.Module):
    @nowhere.trace
    def part(self, x, scale=nowhere.SCALE):
        return x * scale

class First(Base):
    def forward(self, x):
        return norm(self.part(x)) + width()

class Second(Base):
    def forward(self, x):
        return self.part(norm(x)) + width()
""",
    "a configuration that a run changes": """
class Inner:
    def __init__(self, width=8):
        self.width = width

class Config:
    def __init__(self, hidden=8, act="relu"):
        self.hidden, self.act, self.inner, self.sizes = hidden, act, Inner(), [8, 8]

class First(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        config.hidden *= 2
        config.inner.width += 1
        config.sizes.append(config.inner.width)
        self.maps = nn.ModuleList([nn.Linear(config.hidden, size) for size in config.sizes])
"""
    + IN_TURN,
    "a registry that had nothing more to find": """
BLOCKS = {}

def register(cls):
    BLOCKS[cls.__name__] = cls
    return cls

@register
class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(8, 8 if BLOCKS.get("absent") is None else 9)
    def forward(self, x):
        return self.map(x)

class Second(nn.Module):
    def __init__(self):
        super().__init__()
        self.other = BLOCKS["First"]()
    def forward(self, x):
        return self.other(x)
""",
    "a method that is looked at between two runs": """
class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.map, self.other = nn.Linear(8, 8), nn.Linear(8, 8)
    def forward(self, x, memory=None):
        if memory is None:
            return self.map(x)
        return self.both(self.map(x), memory)
    def both(self, x, memory, scale=torch.ones(8)):
        return self.other(memory) * scale + x

class Second(First):
    pass
""",
    "a configuration whose defaults raise": """
from settings import Broken

class First(nn.Module):
    def __init__(self, config: Broken):
        super().__init__()
        self.map = nn.Linear(config.hidden, 8)
    def forward(self, x):
        return self.map(x)

class Second(nn.Module):
    def __init__(self, config: Broken):
        super().__init__()
        self.map = nn.Linear(config.hidden, 9)
    def forward(self, x):
        return self.map(x)
""",
    "modules that lead back": """
import other

def make():
    return nn.Linear(8, other.WIDTH)

class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = make()
    def forward(self, x):
        return self.map(x)

class Second(other.Base):
    def __init__(self):
        super().__init__()
        self.own = nn.Linear(8, HALF)
    def forward(self, x):
        return self.own(self.map(x))
HALF = other.WIDTH // 2
""",
}
HELPERS = """
def width(size=len([1, 2, 3])):
    return size
"""
SETTINGS = """
from dataclasses import dataclass

@dataclass
class Broken:
    hidden: int = 8
    def __post_init__(self):
        raise ValueError("not today")
"""
OTHER = """
import model
WIDTH = 32
class Base(model.First):
    pass
"""


def told(library: Library, name: str) -> tuple[object, ...]:
    reading: Reading = read(library, "model", name, {})
    notes = [(variant.unread, variant.error, variant.graph, variant.when) for variant in reading.variants]
    return notes, reading.assumptions, reading.consulted, reading.span


@pytest.mark.parametrize("code", CASES.values(), ids=CASES.keys())
def test_who_came_before_does_not_show(tmp_path: Path, code: str) -> None:
    tmp_path.joinpath("model.py").write_text(HEAD + code, encoding="utf-8")
    tmp_path.joinpath("helpers.py").write_text(HELPERS, encoding="utf-8")
    tmp_path.joinpath("other.py").write_text(OTHER, encoding="utf-8")
    tmp_path.joinpath("settings.py").write_text(SETTINGS, encoding="utf-8")
    alone = {}
    questions = {}
    for name in ("First", "Second"):
        library = Library([Root(tmp_path)])
        with library.footprint.of() as asked:
            alone[name] = told(library, name)
        questions[name] = asked
    for order in (("First", "Second", "First"), ("Second", "First", "Second")):
        library = Library([Root(tmp_path)])
        for name in order:
            with library.footprint.of() as asked:
                assert told(library, name) == alone[name]
            assert asked == questions[name]


def test_what_is_forgotten_is_read_anew(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    package.joinpath("__init__.py").write_text("", encoding="utf-8")
    package.joinpath("parts.py").write_text("WIDTH = 8\nclass Part:\n    pass\n", encoding="utf-8")
    tmp_path.joinpath("model.py").write_text(
        "from torch import nn\nfrom package.parts import WIDTH, Part\n"
        "class Block(nn.Module):\n    def forward(self, x):\n"
        "        return x * WIDTH if isinstance(Part(), Part) else x\n",
        encoding="utf-8",
    )
    library = Library([Root(tmp_path)])
    first = told(library, "Block")
    package.joinpath("parts.py").write_text("WIDTH = 9\nclass Part:\n    pass\n", encoding="utf-8")
    assert told(library, "Block") == first
    library.release(package)
    (graph,) = [row[2] for row in told(library, "Block")[0]]
    assert [op.attr("by") for op in graph.ops if op.kind.name == "mul"] == [9]


def test_what_is_noted_once_stands_where_it_arose(tmp_path: Path) -> None:
    tmp_path.joinpath("model.py").write_text(HEAD + CASES["a configuration whose defaults raise"], encoding="utf-8")
    tmp_path.joinpath("settings.py").write_text(SETTINGS, encoding="utf-8")
    (variant,) = read(Library([Root(tmp_path)]), "model", "First", {}).variants
    (unread,) = [one for one in variant.unread if "not today" in one.why]
    assert unread.span is not None
    assert unread.span.file == "settings.py"
