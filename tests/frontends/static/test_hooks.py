"""Hooks around calls of modules, and what code keeps by them: hidden states, a context, a bound call."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources

HOOKED = """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(8, 8)
            self.outer = nn.Linear(8, 8)
            {register}
        def forward(self, x):
            return self.outer(self.inner(x))
    """
REGISTERED = {
    "self.inner.register_forward_hook(lambda module, args, output: torch.relu(output))": ["linear", "relu", "linear"],
    "self.inner.register_forward_hook(lambda module, args, output: None)": ["linear", "linear"],
    "self.inner.register_forward_hook(lambda module, args, output: output + args[0])": ["linear", "add", "linear"],
    "self.outer.register_forward_pre_hook(lambda module, args: torch.relu(args[0]))": ["linear", "relu", "linear"],
    "self.outer.register_forward_pre_hook(lambda m, args, more: ((torch.tanh(args[0]),), more), with_kwargs=True)": [
        "linear",
        "tanh",
        "linear",
    ],
    "self.inner.register_forward_hook(lambda module, args, output: torch.relu(output)).remove()": ["linear", "linear"],
    "self.register_forward_hook(lambda module, args, output: torch.relu(output))": ["linear", "linear", "relu"],
}


def kinds(text: str) -> list[str]:
    return [line.split(" = ")[1].split()[0] for line in text.splitlines()]


@pytest.mark.parametrize("register", REGISTERED)
def test_a_hook_sees_and_replaces(sources: Sources, register: str) -> None:
    assert kinds(sources.computes(HOOKED.format(register=register), "Model")) == REGISTERED[register]


def test_hidden_states_that_hooks_collect(sources: Sources) -> None:
    """As transformers does: a decorator turns a collector on, hooks on the layers fill it."""
    text = """
        from contextvars import ContextVar
        collected = ContextVar("collected", default=None)

        def collect(module, args, output):
            if collected.get() is not None:
                collected.get().append(output)

        def capture(forward):
            def wrapper(self, *args, **kwargs):
                wanted = kwargs.pop("output_hidden_states", False)
                token = collected.set([] if wanted else None)
                try:
                    result = forward(self, *args, **kwargs)
                    states = collected.get()
                finally:
                    collected.reset(token)
                return (result, states)
            return wrapper

        class Stack(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
                for layer in self.layers:
                    layer.register_forward_hook(collect)
            @capture
            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return torch.tanh(x)

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.stack = Stack()
            def forward(self, x):
                return torch.relu(self.stack(x, output_hidden_states=True)[1][-2])
        """
    found = sources.computes(text, "Model")
    assert kinds(found)[-1] == "relu"
    assert found.endswith("relu %2")


def test_a_decorator_binds_a_call(sources: Sources) -> None:
    text = """
        import inspect

        def with_default(name):
            def wrap(function):
                signature = inspect.signature(function)
                def wrapper(*args, **kwargs):
                    bound = signature.bind(*args, **kwargs)
                    bound.apply_defaults()
                    return torch.relu(function(*args)) if bound.arguments[name] == 3 else function(*args)
                return wrapper
            return wrap

        @with_default("count")
        def g(x, count=3):
            return torch.tanh(x)

        def f(x):
            return g(g(x), 2)
        """
    assert kinds(sources.computes(text)) == ["tanh", "relu", "tanh"]
