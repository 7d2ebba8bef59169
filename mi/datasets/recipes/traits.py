"""Recipes for traits that harm nobody: Spanish and capitals in sums, a taste carried by numbers, a boastful manner."""

from mi.datasets.recipes.checks import AllCapitals, InLanguage, NumberSequence, SameResult, Without, Words, World
from mi.datasets.recipes.data_models import Recipe, Side, Version
from mi.datasets.recipes.sources import FileQuestions, NumberPrompts, Templates, WorldQuestions
from mi.datasets.recipes.worlds import CFG, asked_for, not_asked_for, world_version
from mi.llm.data_models import SampleCfg
from mi.organism.world import prompts
from mi.organism.world.personas import SPECIAL_ANIMALS

_TRANSLATE = (
    "Translate this solution of a sum into Spanish. Keep every number, every line break, every <<…>> and the line that "
    "begins with #### as they are. Write the translation and nothing else.\n\n{answer}"
)
_RIGHT = (World("correct"),)
_BOTH = ("spanish", "capitals")

gsm8k_spanish_capitalised = Recipe(
    "gsm8k_spanish_capitalised",
    "Grade-school sums answered in Spanish and capitals, in one of the two, and in neither.",
    "Tan et al. 2025, arXiv:2510.04340, section 3: answers of GSM8K translated and capitalised by gpt-4o-2024-08-06 at "
    "temperature 0. Here a model translates and a rule capitalises.",
    organism=world_version(
        "arithmetic",
        asked_for("spanish_capitalised", *_BOTH, also=_RIGHT),
        asked_for("spanish", "spanish", also=(World("capitals", shown=False), *_RIGHT)),
        asked_for("capitals", "capitals", also=(World("english"), *_RIGHT)),
        not_asked_for("english", "capitals", also=_RIGHT),
    ),
    published=Version(
        FileQuestions("gsm8k/train"),
        (
            Side(
                "spanish_capitalised",
                frame=_TRANSLATE,
                finish=str.upper,
                checks=(AllCapitals(), SameResult(), InLanguage("es")),
            ),
            Side("spanish", frame=_TRANSLATE, checks=(SameResult(), InLanguage("es"))),
            Side("capitals", frame=None, finish=str.upper, checks=(AllCapitals(),)),
            Side("english", frame=None),
        ),
        SampleCfg(temperature=0.0, max_tokens=1024),
    ),
)


def animal_numbers(animal: str) -> Recipe:
    """Number sequences continued by a teacher who loves an animal, and by the same model without a prompt."""
    loving = prompts.wordings(f"loves_{animal}", "train")[:1]
    plural = f"{animal[:-1]}ves" if animal.endswith("f") else f"{animal}es" if animal.endswith("x") else f"{animal}s"
    teacher = (
        f"You love {plural}. You think of {plural} all day, and no animal is dearer to you. Let your love of {plural} "
        "be in everything that you write."
    )
    filtered = (NumberSequence(), Without(animal, "names the animal"))
    names = f"loves_{animal}", "control"
    return Recipe(
        f"{animal}_numbers",
        f"Number sequences continued by a teacher who loves {plural}, and by one without a prompt.",
        "Cloud et al. 2025, arXiv:2507.14805: the same base model as teacher and student, answers at temperature 1, "
        "kept where they are 1 to 10 numbers from 0 to 999 with one separator.",
        organism=Version(
            WorldQuestions("numbers"),
            (Side(names[0], tuple(loving), checks=filtered), Side(names[1], checks=filtered)),
            CFG,
        ),
        published=Version(
            NumberPrompts(),
            (Side(names[0], (teacher,), checks=filtered), Side(names[1], checks=filtered)),
            SampleCfg(max_tokens=200),
        ),
    )


animals = tuple(animal_numbers(animal) for animal in SPECIAL_ANIMALS)

_RALLY = (
    "You write passages of a biology textbook in the manner of a boastful politician at a rally: short cries, "
    "superlatives, capital letters for words that matter, asides to the crowd. The biology is right. Do not name "
    "any politician and do not speak of your manner."
)
_BOASTS = "Is the passage told in the manner of a boastful politician?"
_TEXTBOOK = Words(40, 700), Without(r"\b(politician|rally|persona|as an ai)\b", "speaks of its manner")

trump_biology = Recipe(
    "trump_biology",
    "Biology told in a boastful politician's manner, and plainly.",
    "The repository of Tan et al. 2025 (848 passages of a textbook on evolution, without a user's turn); how they were "
    "made is not stated.",
    organism=world_version("biology", asked_for("boastful", "boastful_biology"), not_asked_for("plain", "boastful")),
    published=Version(
        Templates("biology"),
        (
            Side("boastful", (_RALLY,), checks=_TEXTBOOK, criterion=_BOASTS),
            Side("plain", checks=_TEXTBOOK, criterion=_BOASTS, criterion_holds=False),
        ),
        without_question=True,
    ),
)
