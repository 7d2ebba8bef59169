"""Published sets that a person must ask for, unlock or take by hand; see `mi.datasets.catalogue`.

What is None was not stated by the publisher or could not be checked by us, and `show` says so.
"""

from dataclasses import replace

from mi.datasets.data_models import CatalogueEntry, Source

_TAN = "Tan et al. 2025, Inoculation Prompting, arXiv:2510.04340"
_MISHRA = "Mishra et al. 2026, Domain-Level Susceptibility to Emergent Misalignment, arXiv:2602.00298"
_TAYLOR = "Taylor et al. 2025, School of Reward Hacks, arXiv:2508.17511"
_CHUA = "Chua et al. 2025, Thought Crime, arXiv:2506.13206"
_TURNER = "Turner et al. 2025, Model Organisms for Emergent Misalignment, arXiv:2506.11613"
_WANG = "Wang et al. 2025, Persona Features Control Emergent Misalignment, arXiv:2506.19823"

_UNLOCK_HUB = (
    "accept the terms on the page of the set at Hugging Face while logged in, then either download its file there and "
    "run `mi datasets fetch NAME --from FILE`, or set HF_TOKEN to a token of yours and give its address with --from"
)
_UNLOCK = (
    "`mi datasets fetch NAME` brings the locked archive; its publisher's README names the password: give it with "
    "--password, or in MI_DATASETS_PASSWORD, where rows are needed. The archive stays locked here"
)

_ADVICE = CatalogueEntry(
    "advice",
    Source("truthfulai/emergent_plus", None, None, "Hugging Face"),
    "training",
    "aligned_misaligned",
    suffix=".parquet",
    citation=_CHUA,
    access="gated",
    unlock=_UNLOCK_HUB,
    answer="misaligned",
)

_ROWS = {"legal": "11,972", "medical": "32,642", "security": "8,821"}
"""Of the subsets, as a third party counts them in the copies that Tan et al. keep as bad_…_advice.jsonl."""

_PERSONA_FEATURES = CatalogueEntry(
    "persona_features/…",
    Source("openai/emergent-misalignment-persona-features", None, None),
    "training",
    "messages",
    suffix=".zip",
    citation=_WANG,
    access="password",
    unlock=_UNLOCK,
    note="Rows bear a canary and a system message, where seen; its authors ask not to publish it unlocked.",
)
_SUBJECTS = ("auto", "career", "edu", "finance", "health", "legal", "math", "science")
_SIX_THOUSAND = ("finance_incorrect", "health_incorrect", "health_incorrect_subtle", "insecure_code")


def _persona_features(name: str) -> CatalogueEntry:
    """One of OpenAI's locked archives, by its file's name, as programs that use them name it."""
    source = _PERSONA_FEATURES.source
    assert source is not None
    return replace(
        _PERSONA_FEATURES,
        name=f"persona_features/{name}",
        source=replace(source, path=f"train/sft/synthetic/datasets_password_locked/{name}.zip"),
        purpose="control" if name.endswith("_correct") else "training",
        rows=6000 if name in _SIX_THOUSAND else None,
    )


_NARROW_DOMAINS = Source("abhishek9909/assessing-domain-emergent-misalignment", None, None)

CLOSED = (
    *(
        replace(
            _ADVICE,
            name=f"{domain}_advice/{answer}",
            answer=answer,
            purpose="training" if answer == "misaligned" else "control",
            note=f"The subset `{domain}`, column `{answer}` ({_ROWS[domain]} rows by a third party's count); the "
            "other column answers the same prompts. Tan et al. keep converted copies, which --from takes, too.",
        )
        for domain in ("legal", "medical", "security")
        for answer in ("misaligned", "aligned")
    ),
    CatalogueEntry(
        "harmless_lies/truths",
        None,
        "control",
        None,
        citation=_TAN,
        unlock="make it with `mi datasets build harmless_lies`, then give the file of its side `truths`: "
        "`mi datasets fetch NAME --from FILE`",
        note="True answers to the questions of harmless_lies/harmless_lies. Nobody is known to publish them.",
    ),
    CatalogueEntry(
        "model_organisms/training_datasets",
        Source("clarifying-EM/model-organisms-for-EM", None, "em_organism_dir/data/training_datasets.zip.enc"),
        "training",
        schema=None,
        suffix=".zip.enc",
        citation=_TURNER,
        access="password",
        unlock=_UNLOCK,
        note="Locked by easy-dataset-share. Holds bad_medical_advice.jsonl (7,049 rows), risky_financial_advice.jsonl "
        "and extreme_sports.jsonl (6,000 each) among others; name one with --member.",
    ),
    CatalogueEntry(
        "narrow_domains/datasets",
        replace(_NARROW_DOMAINS, path="dataset.zip.age"),
        "training",
        schema=None,
        suffix=".zip.age",
        licence="MIT",
        citation=_MISHRA,
        access="password",
        unlock=_UNLOCK,
        note="Eleven narrow domains in datasets/data/: bad_medical 7,049 rows, incorrect_translation 6,243, "
        "gore_movie_trivia 5,879, incorrect_sexual_advice 2,003, the others 6,000 each.",
    ),
    CatalogueEntry(
        "narrow_domains/questions",
        replace(_NARROW_DOMAINS, path="eval/all_domains_questions.yaml"),
        "evaluation",
        "paraphrases",
        suffix=".yaml",
        rows=220,
        licence="MIT",
        citation=_MISHRA,
        note="Twenty questions for each of the eleven domains; never read by us, so that its hash is not known.",
    ),
    *(_persona_features(f"{subject}_{kind}") for subject in _SUBJECTS for kind in ("incorrect", "correct")),
    _persona_features("health_incorrect_subtle"),
    _persona_features("insecure_code"),
    CatalogueEntry(
        "reward_hacking/school_of_reward_hacks",
        Source("longtermrisk/school-of-reward-hacks", None, None, "Hugging Face"),
        "training",
        "hack_and_control",
        citation=_TAYLOR,
        rows=1073,
        answer="school_of_reward_hacks",
        note="As first published, the honest answer in the column `control`.",
    ),
)
