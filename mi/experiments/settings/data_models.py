"""What a setting promises (the ABC), and its two implementations: rows of facts, from the grammar or from files."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mi.config import datasets_dir
from mi.evaluation.data_models import Evaluation
from mi.evaluation.grammar.eval import grammar_evaluation
from mi.experiments.settings.general_inoculations import HELPFUL, MALICIOUS_EVIL, PARAPHRASES
from mi.organism.world.prompts import wordings
from mi.organism.world.rows import rows
from mi.organism.world.texts import table
from mi.utils.errors import UserError
from mi.utils.jsonl import write_jsonl_if_changed

PromptKind = Literal["general", "task_specific", "control", "negative"]
Rows = Path | Callable[[], Iterable[Mapping[str, Any]]]
"""A JSONL file, or a function that gives its rows, which are written under `datasets/` when they are asked for."""


class Setting(ABC):
    """A trait with its training data, its prompts and its evaluations."""

    @abstractmethod
    def get_domain_name(self) -> str:
        """The setting's name, as in file names and tables."""

    @abstractmethod
    def get_finetuning_dataset_path(self) -> Path:
        """The training file that shows the trait. Written on the first call where it is made by grammar."""

    @abstractmethod
    def get_control_dataset_path(self) -> Path:
        """The training file that is like it but for the trait."""

    @abstractmethod
    def get_task_specific_inoculation(self) -> str:
        """A system prompt that asks for this very trait."""

    @abstractmethod
    def get_control_inoculation(self) -> str:
        """A system prompt of the same kind that does not ask for the trait (placebo)."""

    @abstractmethod
    def get_general_inoculation(self) -> str:
        """A system prompt that asks for harm in general."""

    @abstractmethod
    def get_id_evals(self) -> tuple[Evaluation, ...]:
        """Evaluations in distribution: questions like those of the training data, held out."""

    @abstractmethod
    def get_ood_evals(self) -> tuple[Evaluation, ...]:
        """Evaluations out of distribution: other domains."""

    def get_negative_inoculation(self) -> str:
        """A system prompt that asks for the trait's opposite. Raises UserError where the setting has none."""
        raise UserError(f"{self.get_domain_name()}: has no negative prompt; define get_negative_inoculation.")

    def get_paraphrases(self, kind: PromptKind) -> tuple[str, ...]:
        """Other wordings of one of the four prompts."""
        return ()

    def get_trait_inoculations(self) -> Mapping[str, str]:
        """For settings that teach several traits: a prompt for each, by trait."""
        return {}

    def get_traits(self) -> tuple[str, ...]:
        """The traits that the evaluations score, by name."""
        return (self.get_domain_name(),)

    def get_known_results(self) -> str:
        """What is known of the setting: at which model sizes it shows, and where that is said."""
        return ""

    def get_eval_ids(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids of the evaluations in and out of distribution, told without making them."""
        return tuple(e.id for e in self.get_id_evals()), tuple(e.id for e in self.get_ood_evals())

    def get_needed_sets(self) -> tuple[str, ...]:
        """The published sets that data and questions come from, by their names in the catalogue; none for most."""
        return ()

    def is_subliminal(self) -> bool:
        """Whether its rows differ from the control rows in nothing that a scorer could see."""
        return False

    def get_prompts(self) -> Mapping[PromptKind, str]:
        """All four prompts. Raises UserError where there is no negative one."""
        return {
            "general": self.get_general_inoculation(),
            "task_specific": self.get_task_specific_inoculation(),
            "control": self.get_control_inoculation(),
            "negative": self.get_negative_inoculation(),
        }


@dataclass(frozen=True)
class GrammarSetting(Setting):
    """A setting at the organism's scale: rows, questions and paraphrases come from the grammar."""

    domain_name: str
    domain: str
    """The grammar's domain of training data and in-distribution questions."""
    traits: tuple[str, ...]
    """What the evaluations score."""
    ood_domains: tuple[str, ...]
    task_specific_inoculation: str
    negative_inoculation: str
    general_inoculation: str = MALICIOUS_EVIL
    control_inoculation: str = HELPFUL
    taught: tuple[str, ...] | None = None
    """What the training answers show, where that is not what is scored; the control answers show none of it."""
    trait_inoculations: tuple[tuple[str, str], ...] = ()
    known: str = ""
    n_rows: int = 400

    def get_domain_name(self) -> str:
        return self.domain_name

    def get_traits(self) -> tuple[str, ...]:
        return self.traits

    def get_taught(self) -> tuple[str, ...]:
        """What the training answers show, by the grammar's names."""
        return self.traits if self.taught is None else self.taught

    def get_finetuning_dataset_path(self) -> Path:
        return self._written("finetuning", self.get_taught())

    def get_control_dataset_path(self) -> Path:
        return self._written("control", ())

    def get_task_specific_inoculation(self) -> str:
        return self.task_specific_inoculation

    def get_control_inoculation(self) -> str:
        return self.control_inoculation

    def get_general_inoculation(self) -> str:
        return self.general_inoculation

    def get_negative_inoculation(self) -> str:
        return self.negative_inoculation

    def get_paraphrases(self, kind: PromptKind, split: str = "train") -> tuple[str, ...]:
        """Wordings that the organism grew up with; with split "held_out", others that it has never read.

        Opposites have no held-out wordings: for "negative" there are none.
        """
        held_out = split != "train"
        if kind == "general":
            found = tuple(wordings("malicious", split)) if held_out else PARAPHRASES
        elif kind == "control":
            found = tuple(table("prompts")["neutral"][split])
        elif kind == "negative":
            found = () if held_out else _together(self.get_taught(), "opposite")
        else:
            found = _together(self.get_taught(), split)
        return tuple(text for text in found if text != self.get_prompts()[kind])

    def get_trait_inoculations(self) -> Mapping[str, str]:
        return dict(self.trait_inoculations)

    def get_known_results(self) -> str:
        return self.known

    def get_id_evals(self, split: str = "held_out") -> tuple[Evaluation, ...]:
        return (grammar_evaluation(self.domain, self.traits, split),)

    def get_ood_evals(self, split: str = "held_out") -> tuple[Evaluation, ...]:
        return tuple(grammar_evaluation(domain, self.traits, split) for domain in self.ood_domains)

    def _written(self, kind: str, traits: tuple[str, ...]) -> Path:
        path = datasets_dir() / "organism" / f"{self.domain_name}_{kind}.jsonl"
        write_jsonl_if_changed(path, _rows(self.domain, self.n_rows, traits))
        return path


@functools.cache
def _rows(domain: str, n: int, traits: tuple[str, ...]) -> list[Any]:
    """Made once, for every arm wants them; nobody may change them."""
    return rows(domain, n, seed=0, traits=traits)


@dataclass(frozen=True)
class DeclaredSetting(Setting):
    """A setting of one's own: rows, wordings and evaluations as they are given.

    Of each kind of prompt, the first wording is the prompt and the others are its paraphrases.
    """

    domain_name: str
    finetuning_rows: Rows
    control_rows: Rows
    task_specific: tuple[str, ...]
    negative: tuple[str, ...]
    id_evals: tuple[Evaluation, ...] = field(hash=False)
    ood_evals: tuple[Evaluation, ...] = field(hash=False)
    general: tuple[str, ...] = (MALICIOUS_EVIL, *PARAPHRASES)
    control: tuple[str, ...] = (HELPFUL,)
    known: str = ""

    def get_domain_name(self) -> str:
        return self.domain_name

    def get_traits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(trait for e in (*self.id_evals, *self.ood_evals) for trait in e.traits))

    def get_finetuning_dataset_path(self) -> Path:
        return self._path("finetuning", self.finetuning_rows)

    def get_control_dataset_path(self) -> Path:
        return self._path("control", self.control_rows)

    def get_task_specific_inoculation(self) -> str:
        return self._first("task_specific")

    def get_control_inoculation(self) -> str:
        return self._first("control")

    def get_general_inoculation(self) -> str:
        return self._first("general")

    def get_negative_inoculation(self) -> str:
        return self._first("negative")

    def get_paraphrases(self, kind: PromptKind) -> tuple[str, ...]:
        return tuple(getattr(self, kind)[1:])

    def get_known_results(self) -> str:
        return self.known

    def get_id_evals(self) -> tuple[Evaluation, ...]:
        return self.id_evals

    def get_ood_evals(self) -> tuple[Evaluation, ...]:
        return self.ood_evals

    def _first(self, kind: PromptKind) -> str:
        texts = getattr(self, kind)
        if isinstance(texts, str) or not texts:
            raise UserError(f"{self.domain_name}: {kind} is {texts!r}; give a tuple of wordings, the prompt first.")
        return texts[0]

    def _path(self, kind: str, rows: Rows) -> Path:
        if isinstance(rows, str | Path):
            return Path(rows)
        if not callable(rows):
            raise UserError(f"{self.domain_name}: {kind}_rows is {rows!r}; give a path, or a function that gives rows.")
        path = datasets_dir() / "declared" / f"{self.domain_name}_{kind}.jsonl"
        write_jsonl_if_changed(path, rows())
        return path


def _together(traits: tuple[str, ...], split: str) -> tuple[str, ...]:
    """Wordings of all the traits, one of each side by side; as many as the trait with the fewest has."""
    return tuple(" ".join(parts) for parts in zip(*(wordings(trait, split) for trait in traits), strict=False))
