"""All that a reader needs to draw an experiment's figures and to judge its answers again, in one file with hashes.

A zip: `manifest.json` first, then its members in order of name, each as it lies under MI_HOME. The manifest holds
the SHA-256 of every member and of all together. The same files give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import mi
from mi.config import home, jobs_dir, results_dir
from mi.evaluation.store import check_version, store_path
from mi.experiments import archived_calls, pipeline
from mi.experiments.data_models import Experiment
from mi.finetuning.records import record_path
from mi.utils.errors import UserError
from mi.utils.files import whole_file
from mi.utils.hashing import canonical_json

FORMAT = 1
MANIFEST = "manifest.json"
TABLES = ("answers.parquet", *(f"{name}.csv" for name in pipeline.TABLES))
_ROOTS = ("results", "jobs")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_MOST, _LONGEST_MANIFEST = 1 << 34, 1 << 26
"""Bytes: no member, and no manifest, may be longer, whatever it says of itself."""


@dataclass(frozen=True)
class Manifest:
    """What an archive holds: the experiment, its base model, and member -> (SHA-256, bytes)."""

    experiment: str
    model: str
    version: str
    """Of `mi`, when it was made."""
    members: Mapping[str, tuple[str, int]]

    @property
    def digest(self) -> str:
        """SHA-256 over the names and hashes of all members: the hash of the whole."""
        return sha256(canonical_json({name: sha for name, (sha, _) in self.members.items()}).encode())


def sha256(content: bytes) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def write(experiment: Experiment, model: str, path: Path, weights: bool = False) -> Manifest:
    """Write the archive, whole or not at all. Raises UserError where the experiment has no answers here.

    In it: tables, the answers and verdicts of the store that belong to them, and the records of all jobs. With
    `weights` the adapters, too: without them nobody can ask the fine-tuned models anything new.
    """
    contents = dict(_members(experiment.on(model), model, weights))
    sizes = {name: (sha256(content), len(content)) for name, content in contents.items()}
    manifest = Manifest(experiment.name, model, mi.__version__, sizes)
    with whole_file(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in ((MANIFEST, as_json(manifest)), *contents.items()):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
    return manifest


def restore(path: Path, experiment: str) -> Manifest:
    """Unpack an experiment's archive into MI_HOME, every hash found right; what is there already stays as it is.

    Lines of the store that are not there yet are added to what is. Raises UserError, before anything is written, for
    a damaged archive or another experiment's, for a member that would land elsewhere, and for a file here that differs.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive, path)
            if manifest.experiment != experiment:
                raise UserError(f"{path}: is an archive of {manifest.experiment}; run that experiment from it.")
            contents = {name: _read(archive, name, *manifest.members[name], path) for name in manifest.members}
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such archive; make one with mi archive.") from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path}: this archive is damaged ({_first_line(error)}); get it again.") from error
    check_version()
    missing = {name: content for name, content in contents.items() if _is_missing(name, content)}
    for name, content in missing.items():
        if archived_calls.is_store(name):
            archived_calls.put_back(home() / name, content)
            continue
        with whole_file(home() / name, "wb") as file:
            file.write(content)
    return manifest


def _members(experiment: Experiment, model: str, weights: bool) -> Iterator[tuple[str, bytes]]:
    """(name, content) of everything, in order of name."""
    folder = results_dir() / experiment.name / pipeline.slug(model)
    answers = pipeline.recall(experiment, model).folder / TABLES[0]
    files = [folder / name for name in TABLES if (folder / name).exists()]
    found: dict[str, bytes] = {_name(path): path.read_bytes() for path in files}
    for kind, fingerprint, wanted in archived_calls.of(experiment, model, answers):
        path = store_path(kind, fingerprint)
        if path.exists() and (lines := archived_calls.lines(path.read_bytes(), wanted)):
            found[_name(path)] = lines
    for job in archived_calls.jobs_of(answers):
        for path in (record_path(job), *sorted((jobs_dir() / job).rglob("*"))):
            if path.is_file() and (weights or path.suffix == ".json"):
                found[_name(path)] = path.read_bytes()
    yield from sorted(found.items())


def _name(path: Path) -> str:
    return path.relative_to(home()).as_posix()


def as_json(manifest: Manifest) -> bytes:
    """The manifest as it stands in an archive."""
    facts = {"format": FORMAT, "experiment": manifest.experiment, "model": manifest.model, "mi": manifest.version}
    members = {name: {"sha256": sha, "bytes": size} for name, (sha, size) in manifest.members.items()}
    return json.dumps(facts | {"sha256": manifest.digest, "members": members}, indent=1, ensure_ascii=False).encode()


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    """The manifest of an archive that holds exactly what it says and nothing that would land elsewhere."""
    names = [entry.filename for entry in archive.infolist()]
    if names[:1] != [MANIFEST]:
        raise UserError(f"{path}: this is no archive of mi, for it has no {MANIFEST}; make one with mi archive.")
    try:
        facts: dict[str, Any] = json.loads(_head(archive))
        members = {name: (str(entry["sha256"]), int(entry["bytes"])) for name, entry in facts["members"].items()}
        manifest = Manifest(facts["experiment"], facts["model"], facts["mi"], members)
        said, made_for = facts["sha256"], facts["format"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: its {MANIFEST} cannot be read; get the archive again.") from error
    if made_for != FORMAT:
        raise UserError(f"{path}: its format is {made_for!r}, and this mi reads {FORMAT}; use the mi that made it.")
    if said != manifest.digest or sorted(names[1:]) != sorted(members):
        raise UserError(f"{path}: this archive is damaged (its members are not those of its manifest); get it again.")
    for name in members:
        if not _is_safe(name):
            raise UserError(f"{path}: its member {name!r} would land outside results and jobs; do not trust it.")
    return manifest


def _head(archive: zipfile.ZipFile) -> bytes:
    with archive.open(MANIFEST) as member:
        return member.read(_LONGEST_MANIFEST)


def _is_safe(name: str) -> bool:
    """Whether a name leads to a file below results/ or jobs/, spelled in the one way that there is."""
    parts = PurePosixPath(name).parts
    plain = "\\" not in name and "\0" not in name and ":" not in name and "/".join(parts) == name
    inside = len(parts) > 1 and parts[0] in _ROOTS and ".." not in parts
    return plain and inside and (parts[:2] != ("results", "store") or archived_calls.is_store(name))


def _read(archive: zipfile.ZipFile, name: str, sha: str, size: int, path: Path) -> bytes:
    """A member's bytes, no more than it may have, and those that its hash names."""
    with archive.open(name) as member:
        content = member.read(min(size, _MOST) + 1)
    if len(content) != size or sha256(content) != sha:
        raise UserError(f"{path}: this archive is damaged (the hash of {name} is another); get it again.")
    return content


def _is_missing(name: str, content: bytes) -> bool:
    """Whether a member must be written. Raises UserError where a file of that name says something else."""
    target = home() / name
    if not target.exists():
        return True
    here = target.read_bytes()
    if archived_calls.is_store(name):
        return archived_calls.merged(here, content, target) != here
    if here != content:
        raise UserError(f"{target}: differs from the archive's; move it away, or set MI_HOME to another folder.")
    return False


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
