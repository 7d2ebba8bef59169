"""The command line's `mi evaluations`: list, show, check."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mi.utils.errors import UserError

evaluations = typer.Typer(
    help="The evaluations: list them, show one, check one on labelled examples.", invoke_without_command=True
)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Names of evaluations, at the organism's scale of settings; by default all."),
]
ScaleName = Annotated[
    Literal["organism", "published"],
    typer.Option("--scale", help="organism: of the grammar; published: of large models."),
]


@evaluations.callback()
def overview(context: typer.Context) -> None:
    """List the evaluations at the published scale; those of the organism are its settings' own."""
    if context.invoked_subcommand is not None:
        return
    from mi.evaluation.show_known import listing

    typer.echo(listing())


@evaluations.command()
def show(name: Annotated[str, typer.Argument(help="An evaluation's name.")]) -> None:
    """Print everything about an evaluation: questions, judges' prompts, scorer, labelled examples."""
    from mi.evaluation.show_known import description

    typer.echo(description(name))


@evaluations.command()
def check(
    names: Names = None,
    judge: Annotated[
        str | None, typer.Option(help="A judge to be asked: organism, local/ID or openai/ID. Costs its calls.")
    ] = None,
    scale: ScaleName = "published",
) -> None:
    """Score labelled examples and print how often score and label agree, with Cohen's kappa.

    Without --judge, judges' replies are those written beside the examples, so that parsers, thresholds and rules are
    tried and no model is asked. With it, the judge is asked once an example and criterion; what it says is kept.
    """
    import asyncio

    if scale == "organism":
        if judge is not None:
            raise UserError("at the organism's scale the organism judges; leave --judge out.")
        _check_grammar(names)
        return
    from mi.evaluation.examples import check_live, check_recorded, examples_of
    from mi.evaluation.known import EVALUATIONS, known
    from mi.evaluation.show_known import verdicts
    from mi.llm.names import parse_model

    found = []
    for name in names or EVALUATIONS:
        evaluation = known(name).make()
        examples = examples_of(name, evaluation)
        if judge is None or not evaluation.judgment_map:
            found += check_recorded(evaluation, examples)
        else:
            found += asyncio.run(check_live(evaluation, examples, parse_model(judge)))
    typer.echo(verdicts(found))


def _check_grammar(names: list[str] | None) -> None:
    import asyncio

    from mi.evaluation.show_known import verdicts
    from mi.experiments.settings import SETTINGS
    from mi.experiments.settings.grammar_examples import check_grammar

    chosen = [SETTINGS[name] for name in names or SETTINGS]
    typer.echo(verdicts(asyncio.run(check_grammar(chosen))))
