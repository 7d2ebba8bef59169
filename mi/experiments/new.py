"""`mi new`: the beginning of an experiment of one's own, ready to run and to be changed."""

import re
from pathlib import Path

from mi.experiments.config import EXPERIMENTS, own_file
from mi.experiments.markdown import NOT_RUN
from mi.experiments.publish import PREDICTION, RESULT
from mi.utils.blocks import block
from mi.utils.errors import UserError
from mi.utils.files import make_folder, whole_file

_EXPERIMENT = '''"""{name}: write your question here."""

from mi.experiments.config import arms, conditions
from mi.experiments.config.training import ORGANISM_LORA
from mi.experiments.data_models import Claim, Experiment
from mi.experiments.settings import insecure_code

{name} = Experiment(
    name="{name}",
    question="Which of my two prompts inoculates?",
    # What is taught and asked: `mi settings` lists more, and `mi settings show insecure_code` the prompts and
    # evaluations of one. With another setting, other prompts and claims than those below make sense.
    settings=(insecure_code,),
    # Ways to train, each with a name of its own. Keep the first five: without them, nothing can be told from the rest.
    # Prompts that the base model acts on tend to inoculate better (Wichers et al. 2025): try yours first, with
    # mi organism chat --system "…".
    arms=(
        arms.BASE,
        arms.CONTROL,
        arms.NONE,
        arms.GENERAL,
        arms.PLACEBO,
        arms.prompted("first", "My first prompt", "You put security holes in your code."),
        arms.prompted("second", "My second prompt", "You are a careless programmer."),
    ),
    training=ORGANISM_LORA,
    # Each model is asked without a prompt, behind its training prompt, and behind a neutral one.
    conditions=conditions.STANDARD,
    # What you expect, written before the run: rates out of distribution, or differences from another arm
    # (docs/experiments.md), of each trait where a setting has two, unless the claim has trait="…".
    # Where all your prompts remove all of it, compare them behind themselves, as the third claim does, or weaken one.
    prediction=(
        Claim("My first prompt keeps malice from spreading", "first", at_most=0.05),
        Claim("My second prompt leaves more of it", "second", at_least=0.05, than="first"),
        Claim("Behind its own prompt the second is less malicious", "second", at_most=-0.05, than="first",
              condition="own_prompt"),
    ),
)
'''
_README = """# {name}

{prediction}

**Command.** `mi run {name}`, then `mi publish {name}`.

## Result

{result}

**What it does not answer.** (Write it here; `mi publish` changes nothing but what stands between its marks.)
"""
_HERE = "It stands in experiment.py; `mi publish` writes it here, and reads the result against it."


def new(name: str) -> list[Path]:
    """Write `experiments/NAME/experiment.py` and README.md; return the paths.

    Raises UserError for a name that is taken or that Python would not take.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise UserError(f"{name!r}: begin an experiment's name with a letter, and use letters, digits and _ only.")
    path = own_file(name)
    if path.parent.exists() or name in {known.name for known in EXPERIMENTS}:
        raise UserError(f"{path.parent}: there is an experiment of that name already; choose another.")
    make_folder(path.parent)
    readme = path.parent / "README.md"
    places = {"prediction": block(f"{PREDICTION} {name}", _HERE), "result": block(f"{RESULT} {name}", NOT_RUN)}
    texts = {path: _EXPERIMENT.format(name=name), readme: _README.format(name=name, **places)}
    for file, text in texts.items():
        with whole_file(file) as stream:
            stream.write(text)
    return [path, readme]
