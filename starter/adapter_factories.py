"""From the name of an adapter to what makes it, and to the settings that it reads (X1)."""

import difflib
import importlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from starter.adapter_registry import OWN, STUB, offered
from starter.settings import PREFIX, SettingsError, variable_name


def factory_of(port: str, name: str) -> Callable[[], Any]:
    """What makes the adapter of this name: a built-in one, an entry point, or ``package.module:factory``.

    Raises:
        SettingsError: there is none, it is no function, or one of its variables is misspelt.
    """
    where = name if ":" in name else offered(port).get(name)
    if where is None:
        known = ", ".join(sorted({*offered(port), OWN if port in {"orders", "key_ring", "attachments"} else STUB}))
        raise SettingsError(f"{variable_name(port)}: no adapter is called {name}; there are {known}")
    module, _, attribute = where.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"{variable_name(port)}: {name} cannot be found: {error}") from error
    if not callable(found):
        raise SettingsError(f"{variable_name(port)}: {name} is no function that makes an adapter")
    _check_variables(found)
    return found


def made(port: str, name: str) -> Any:
    """What the factory of this name makes: an adapter, or what is awaited or entered to get one.

    Raises:
        SettingsError: there is no such factory, or a setting of the adapter's is missing or wrong. The text names the
            variable and the rule, and never its value.
    """
    factory = factory_of(port, name)
    try:
        return factory()
    except ValidationError as error:
        if error.title not in {cls.__name__ for cls in _models(factory)}:
            raise
        raise SettingsError("; ".join(_problems(factory, error))) from None
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename else type(error).__name__
        raise SettingsError(f"{variable_name(port)}: {name} cannot be made: {why}") from None


def _models(factory: object) -> Iterator[type[BaseSettings]]:
    model = settings_model(factory)
    if model:
        yield model


def _problems(factory: object, error: ValidationError) -> Iterator[str]:
    names = {field: variable for model in _models(factory) for variable, field in variables(model)}
    known = {variable.upper(): variable for variable in names.values()}
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        where = str(problem["loc"][0]) if problem["loc"] else ""
        variable = names.get(where) or known.get(where.upper()) or where
        if problem["type"] == "missing":
            yield f"{variable} is missing"
        else:
            yield f"{variable}: {problem['msg'].removeprefix('Value error, ')}".removeprefix(": ")


def settings_model(factory: object) -> type[BaseSettings] | None:
    """The model of an adapter's settings: the attribute ``settings`` of its factory; None without one."""
    model: object = getattr(factory, "settings", None)
    return model if isinstance(model, type) and issubclass(model, BaseSettings) else None


def variables(model: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """The environment variables of an adapter's settings, each with the name of its field."""
    prefix = str(model.model_config.get("env_prefix", ""))
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        yield (alias if isinstance(alias, str) else f"{prefix}{name}".upper()), name


def _check_variables(factory: object) -> None:
    """Refuse a variable of the adapter's that does not exist: it is misspelt, and a default would count."""
    model = settings_model(factory)
    prefix = str(model.model_config.get("env_prefix", "")).upper() if model else ""
    if model is None or len(prefix) <= len(PREFIX) or not prefix.startswith(PREFIX):
        return
    known = [variable for variable, _ in variables(model)]
    for name in sorted(os.environ):
        if name.upper().startswith(prefix) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else "known are " + ", ".join(sorted(known))
            raise SettingsError(f"{name} is not a setting: {hint}")
