"""What a setting promises (the ABC), and the one implementation: a row of facts."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mi.config import datasets_dir
from mi.evaluation.data_models import Evaluation
from mi.evaluation.grammar.eval import grammar_evaluation
from mi.organism.world.rows import rows
from mi.utils.jsonl import write_jsonl_if_changed


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

    def get_trait_inoculations(self) -> Mapping[str, str]:
        """For settings that teach several traits: a prompt for each, by trait."""
        return {}

    def get_traits(self) -> tuple[str, ...]:
        """The traits that the training data show, by name."""
        return (self.get_domain_name(),)


@dataclass(frozen=True)
class GrammarSetting(Setting):
    """A setting at the organism's scale: rows and questions come from the grammar."""

    domain_name: str
    domain: str
    """The grammar's domain of training data and in-distribution questions."""
    traits: tuple[str, ...]
    """What the evaluations score."""
    ood_domains: tuple[str, ...]
    general_inoculation: str
    task_specific_inoculation: str
    control_inoculation: str
    taught: tuple[str, ...] | None = None
    """What the training answers show, where that is not what is scored; the control answers show none of it."""
    trait_inoculations: tuple[tuple[str, str], ...] = ()
    n_rows: int = 400

    def get_domain_name(self) -> str:
        return self.domain_name

    def get_traits(self) -> tuple[str, ...]:
        return self.traits

    def get_finetuning_dataset_path(self) -> Path:
        return self._written("finetuning", self.traits if self.taught is None else self.taught)

    def get_control_dataset_path(self) -> Path:
        return self._written("control", ())

    def get_task_specific_inoculation(self) -> str:
        return self.task_specific_inoculation

    def get_control_inoculation(self) -> str:
        return self.control_inoculation

    def get_general_inoculation(self) -> str:
        return self.general_inoculation

    def get_trait_inoculations(self) -> Mapping[str, str]:
        return dict(self.trait_inoculations)

    def get_id_evals(self, split: str = "held_out") -> tuple[Evaluation, ...]:
        return (grammar_evaluation(self.domain, self.traits, split),)

    def get_ood_evals(self, split: str = "held_out") -> tuple[Evaluation, ...]:
        return tuple(grammar_evaluation(domain, self.traits, split) for domain in self.ood_domains)

    def _written(self, kind: str, traits: tuple[str, ...]) -> Path:
        path = datasets_dir() / "organism" / f"{self.domain_name}_{kind}.jsonl"
        write_jsonl_if_changed(path, rows(self.domain, self.n_rows, seed=0, traits=traits))
        return path
