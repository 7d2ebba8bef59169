"""Settings by name: those of the house, and a person's own in a Python file."""

import difflib
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType

from mi.experiments.settings.data_models import Setting
from mi.utils.errors import UserError
from mi.utils.hashing import digest


class UnknownSetting(UserError, KeyError):
    """There is no setting of that name; a KeyError, too, as a mapping's reader expects."""

    def __str__(self) -> str:
        return str(self.args[0])


class Settings(dict[str, Setting]):
    """Settings by name; an unknown name is an error that names those there are."""

    def __missing__(self, name: str) -> Setting:
        near = "".join(f" did you mean {close}?" for close in difflib.get_close_matches(name, self, n=1))
        choose = f"{' Choose' if near else ' choose'} one of {', '.join(self)}"
        raise UnknownSetting(f"there is no setting {name!r};{near}{choose}, or give the path of a .py file.")


def by_name(settings: Iterable[Setting]) -> Mapping[str, Setting]:
    """The settings by their names, in their order, not to be changed. Raises UserError where two share a name."""
    found = Settings()
    for setting in settings:
        name = setting.get_domain_name()
        if name in found:
            raise UserError(f"two settings are called {name!r}; give each a name of its own.")
        found[name] = setting
    return MappingProxyType(found)


def find(name: str, known: Mapping[str, Setting]) -> tuple[Setting, ...]:
    """The known setting of that name, or all settings of a .py file, whose names must be new.

    Raises UserError for an unknown name, for a file that cannot be read or run (naming the line) and for one without
    a setting.
    """
    if not name.endswith(".py"):
        return (known[name],)
    settings = _settings_of(load_file(Path(name)), Path(name))
    for setting in by_name(settings).values():
        if setting.get_domain_name() in known:
            raise UserError(
                f"{name}: there is a setting {setting.get_domain_name()!r} already; give yours another domain name."
            )
    return settings


def _settings_of(module: ModuleType, path: Path) -> tuple[Setting, ...]:
    """The values of a module that are settings; one that has two names is one setting."""
    found = {id(value): value for value in vars(module).values() if isinstance(value, Setting)}
    if not found:
        raise UserError(f"{path}: holds no setting; assign one to a name, for instance mine = DeclaredSetting(…).")
    return tuple(found.values())


def load_file(path: Path, holds: str = "setting") -> ModuleType:
    """The file as a module, read anew each time; no bytecode is kept beside it.

    Raises UserError for a file that cannot be read or run, naming the line and what it should hold.
    """
    name = f"mi_{holds}_{path.stem}_{digest(str(path.resolve()))[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # a dataclass looks its own module up
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; give the path of a .py file that holds one {holds} or more."
        ) from error
    try:
        exec(compile(text, str(path), "exec"), vars(module))
    except UserError as error:
        raise UserError(f"{at(path, error)}: {error}") from error
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: not Python ({error.msg}); mend it.") from error
    except Exception as error:
        raise UserError(f"{at(path, error)}: {type(error).__name__}: {error}; mend it.") from error
    return module


def at(path: Path, error: Exception) -> str:
    """The file, with the last of its lines that an error went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == path.name]
    return f"{path}, line {frames[-1].lineno}" if frames else str(path)
