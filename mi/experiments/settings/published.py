"""A setting at the published scale: real rows through the catalogue, for API models and large open ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mi.datasets.services import is_fetched, training_file
from mi.evaluation.data_models import Evaluation
from mi.experiments.settings.data_models import GrammarSetting, PromptKind, Setting
from mi.experiments.settings.general_inoculations import PARAPHRASES
from mi.utils.errors import UserError
from mi.utils.toml import packaged_toml


@dataclass(frozen=True)
class Asked:
    """An evaluation by its id, made when it is asked for, since its questions may lie in sets that must be fetched."""

    id: str
    make: Callable[[], Evaluation] = field(compare=False)
    needs: tuple[str, ...] = ()
    """Sets of the catalogue that hold the questions, or from which they are kept apart."""


@dataclass(frozen=True)
class PublishedSetting(Setting):
    """The large twin of a setting at the organism's scale: it shares that one's name, prompts and what is known.

    Data are sets of the catalogue, converted. Nothing is downloaded: where a set is not here, the method that needs it
    raises UserError, one sentence that names `mi datasets fetch`.
    """

    organism: GrammarSetting
    finetuning: str
    """A name in the catalogue, as is `control`."""
    control: str
    traits: tuple[str, ...]
    inside: tuple[Asked, ...]
    outside: tuple[Asked, ...]
    subliminal: bool = False

    def get_domain_name(self) -> str:
        return self.organism.domain_name

    def get_traits(self) -> tuple[str, ...]:
        return self.traits

    def get_finetuning_dataset_path(self) -> Path:
        return training_file(self.finetuning)

    def get_control_dataset_path(self) -> Path:
        return training_file(self.control)

    def get_task_specific_inoculation(self) -> str:
        return self.organism.task_specific_inoculation

    def get_control_inoculation(self) -> str:
        return self.organism.control_inoculation

    def get_general_inoculation(self) -> str:
        return self.organism.general_inoculation

    def get_negative_inoculation(self) -> str:
        return self.organism.negative_inoculation

    def get_paraphrases(self, kind: PromptKind) -> tuple[str, ...]:
        if kind == "general":
            return PARAPHRASES
        texts = packaged_toml("mi.experiments.settings", "paraphrases.toml")[kind]
        return tuple(texts["every_setting" if kind == "control" else self.get_domain_name()])

    def get_trait_inoculations(self) -> Mapping[str, str]:
        return self.organism.get_trait_inoculations()

    def get_known_results(self) -> str:
        return self.organism.known

    def is_subliminal(self) -> bool:
        return self.subliminal

    def get_id_evals(self) -> tuple[Evaluation, ...]:
        return tuple(asked.make() for asked in self.inside)

    def get_ood_evals(self) -> tuple[Evaluation, ...]:
        return tuple(asked.make() for asked in self.outside)

    def get_eval_ids(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(asked.id for asked in self.inside), tuple(asked.id for asked in self.outside)

    def get_needed_sets(self) -> tuple[str, ...]:
        needs = [name for asked in (*self.inside, *self.outside) for name in asked.needs]
        return tuple(dict.fromkeys((self.finetuning, self.control, *needs)))

    def check_fetched(self) -> None:
        """Raise UserError, one command for all of them, where sets that the setting needs are not here."""
        if missing := [name for name in self.get_needed_sets() if not is_fetched(name)]:
            raise UserError(
                f"{self.get_domain_name()}: {len(missing)} of its published sets are not here; run "
                f"`mi datasets fetch {' '.join(missing)}`, which says how to get what cannot be fetched."
            )
