"""What a person reads in the terminal of recipes and of a build."""

from collections.abc import Iterator, Mapping

from mi.datasets.recipes.data_models import Built, Recipe, Version, Yield
from mi.datasets.recipes.services import Files


def recipe_lines(recipes: Mapping[str, Recipe]) -> Iterator[str]:
    """The recipes: what each makes, its sides, and whose questions it asks at either scale."""
    for recipe in recipes.values():
        yield f"{recipe.name}: {recipe.about}"
        yield f"  after      {recipe.origin}"
        yield f"  organism   {_version(recipe.organism)}"
        yield f"  published  {_version(recipe.published)}"


def built_lines(built: Built, files: Files) -> Iterator[str]:
    """The yield of a build, side by side, and where the files are."""
    yield from yield_lines(built.report)
    yield f"{built.asked_now:,} calls were made now; what had been answered before was not asked again."
    yield from (f"{side:20} {path}" for side, path in files.sides.items())
    yield f"{'record':20} {files.record}"


def yield_lines(found: Yield) -> Iterator[str]:
    """The account of every planned answer and pair."""
    yield f"{'':28}" + "".join(f"{side.side:>20}" for side in found.sides)
    rows = [
        ("planned", [side.planned for side in found.sides]),
        ("answered", [side.answered for side in found.sides]),
        ("refused", [side.refused for side in found.sides]),
    ]
    for reason in dict.fromkeys(reason for side in found.sides for reason in side.filtered):
        rows.append((f"  {reason}", [side.filtered.get(reason, 0) for side in found.sides]))
    rows.append(("passed", [side.passed for side in found.sides]))
    for what, counts in rows:
        yield f"{what:28}" + "".join(f"{count:>20,}" for count in counts)
    yield (
        f"Pairs: {found.planned:,} planned of {found.questions:,} questions; {found.incomplete:,} incomplete, "
        f"{found.equal:,} with equal sides, {found.duplicates:,} duplicates; {found.kept:,} kept."
    )


def _version(version: Version) -> str:
    return f"{' | '.join(side.name for side in version.sides)}; {version.source.name}"
