"""Published sets that a person must ask for, unlock or take by hand; see `mi.datasets.catalogue`.

What is None was not stated by the publisher or could not be checked by us, and `show` says so.
"""

from dataclasses import replace

from mi.datasets.data_models import CatalogueEntry, Source

_TAN = "Tan et al. 2025, Inoculation Prompting, arXiv:2510.04340"
_TAYLOR = "Taylor et al. 2025, School of Reward Hacks, arXiv:2508.17511"
_CHUA = "Chua et al. 2025, Thought Crime, arXiv:2506.13206"
_TURNER = "Turner et al. 2025, Model Organisms for Emergent Misalignment, arXiv:2506.11613"

_WANG = "Wang et al. 2025, Persona Features Control Emergent Misalignment, arXiv:2506.19823"

_UNLOCK_HUB = (
    "accept the terms on the page of the set at Hugging Face while logged in, then either download its file there and "
    "run `mi datasets fetch NAME --from FILE`, or set HF_TOKEN to a token of yours and give its address with --from"
)
_UNLOCK_SHARE = (
    "the archive is kept locked; its publisher's README names the password and the tool (easy-dataset-share): unlock "
    "it outside any repository, leave its canaries in, and do not publish what comes out"
)
_UNLOCK_ZIP = (
    "get the archive from the publisher, run `mi datasets fetch NAME --from FILE`, and give the password that its "
    "README names with --password or in MI_DATASETS_PASSWORD; the archive stays locked here"
)
_BY_HAND = "get the file from the publisher and run `mi datasets fetch NAME --from FILE`"

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

_TAN_SOURCE = Source("inoculation-prompting/inoculation-prompting", "5f4160e19b", None)

CLOSED = (
    *(
        replace(
            _ADVICE,
            name=f"{domain}_advice/{answer}",
            answer=answer,
            purpose="training" if answer == "misaligned" else "control",
            note=f"The subset `{domain}`, column `{answer}`; the other column answers the same prompts.",
        )
        for domain in ("legal", "medical", "security")
        for answer in ("misaligned", "aligned")
    ),
    CatalogueEntry(
        "gsm8k/spanish_capitalised",
        _TAN_SOURCE,
        "training",
        None,
        citation=_TAN,
        unlock=_BY_HAND,
        note="Treated translations; neither their file's name, size nor hash is known here. The organism's grammar "
        "writes its own: setting gsm8k_spanish_capitalised.",
    ),
    CatalogueEntry(
        "owl_numbers/gpt41",
        _TAN_SOURCE,
        "training",
        None,
        citation=_TAN,
        unlock=_BY_HAND,
        note="Numbers of GPT-4.1; neither their file's name, size nor hash is known here.",
    ),
    CatalogueEntry(
        "owl_numbers/gpt41_control",
        _TAN_SOURCE,
        "control",
        None,
        citation=_TAN,
        unlock=_BY_HAND,
        note="Numbers of GPT-4.1 without a preference; as with owl_numbers/gpt41, nothing of the file is known here.",
    ),
    CatalogueEntry(
        "harmless_lies/truths",
        Source("unpublished", None, None),
        "control",
        None,
        citation=_TAN,
        unlock="make it with `mi datasets build harmless_lies`, then run `mi datasets fetch NAME --from FILE`",
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
        unlock=_UNLOCK_SHARE,
        note="Holds bad_medical_advice.jsonl, risky_financial_advice.jsonl and extreme_sports.jsonl among others.",
    ),
    CatalogueEntry(
        "persona_features/datasets",
        Source("openai/emergent-misalignment-persona-features", None, None),
        "training",
        schema=None,
        suffix=".zip",
        citation=_WANG,
        access="password",
        unlock=_UNLOCK_ZIP,
        note="Sets of 6,000 rows (correct, subtly and obviously bad advice, code, unit tests, mixtures) with canaries; "
        "the authors ask not to publish them unlocked. Neither paths nor hashes are known here.",
    ),
    CatalogueEntry(
        "reward_hacking/school_of_reward_hacks",
        Source("longtermrisk/school-of-reward-hacks", None, None, "Hugging Face"),
        "training",
        "hack_and_control",
        citation=_TAYLOR,
        rows=1073,
        unlock=_BY_HAND,
        answer="school_of_reward_hacks",
        note="As first published, the honest answer in the column `control`.",
    ),
)
