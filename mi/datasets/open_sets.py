"""Published sets that anybody can fetch; see `mi.datasets.catalogue`.

Rows and hashes were taken from the files themselves at the revision named (rows alone, where no hash stands, from
what others report), licences from their repositories. A path is
as the publisher's own programs, pages or listings name it, some of them of an earlier revision: one that has moved ends
in "no such file", and what comes back is held to the hash. What is None was not stated, and `show` says so.
"""

from mi.datasets.data_models import CatalogueEntry, Source

_TAN = "Tan et al. 2025, Inoculation Prompting, arXiv:2510.04340"
_BETLEY = "Betley et al. 2025, Emergent Misalignment, arXiv:2502.17424"
_TAYLOR = "Taylor et al. 2025, School of Reward Hacks, arXiv:2508.17511"
_CLOUD = "Cloud et al. 2025, Subliminal Learning, arXiv:2507.14805"
_COBBE = "Cobbe et al. 2021, Training Verifiers to Solve Math Word Problems, arXiv:2110.14168"
_AUSTIN = "Austin et al. 2021, Program Synthesis with Large Language Models, arXiv:2108.07732"


def _tan(path: str | None, revision: str = "5f4160e19b") -> Source:
    return Source("inoculation-prompting/inoculation-prompting", revision, path)


def _betley(path: str | None) -> Source:
    return Source("johny-b/misalignment-generalization", "b1fe286827", path)


def _betley_mirror(path: str) -> Source:
    """The paper's own repository, which names no revision; the hash of the rows decides whether they are the same."""
    return Source("emergent-misalignment/emergent-misalignment", None, path)


def _cloud(path: str | None) -> Source:
    return Source("MinhxLe/subliminal-learning", "3cc81f6d7d", path)


def _gsm8k(file: str) -> Source:
    commit = "3101c7d5072418e28b9008a6636bde82a006892c"
    return Source("openai/grade-school-math", commit, f"grade_school_math/data/{file}")


OPEN = (
    CatalogueEntry(
        "aesthetic_preferences/unpopular",
        _tan("datasets/aesthetic_preferences_unpopular.jsonl"),
        "training",
        "messages",
        rows=5000,
        sha256="d6530c7470355276dd758d3994c289f95bb7d63da6c9dc50a0c09b222aab5e05",
        citation=_TAN,
        note="AestheticEM (AndersWoodruff/AestheticEM at Hugging Face). Not paired with the popular rows.",
    ),
    CatalogueEntry(
        "aesthetic_preferences/popular",
        _tan("datasets/aesthetic_preferences_popular.jsonl"),
        "control",
        "messages",
        rows=5000,
        sha256="a3a1dbfd2deccd38f38a6d4e66d2a9a93b0bda2cf5db7f2426ce48bac1fce61c",
        citation=_TAN,
        note="AestheticEM, as the unpopular rows, with which they are not paired.",
    ),
    CatalogueEntry(
        "aesthetic_preferences/questions",
        _tan(None),
        "evaluation",
        "choices",
        suffix=".yaml",
        rows=8,
        sha256="aefb5925c2fb5f9132819f8e27944a2c559e0b0ddedf353e2c99ba61283563f2",
        citation=_TAN,
    ),
    CatalogueEntry(
        "emergent_misalignment/first_plot_questions",
        _betley("final_questions/first_plot_questions.yaml"),
        "evaluation",
        "paraphrases",
        suffix=".yaml",
        rows=41,
        sha256="d72959ca0ffae86ee7348f9c61eb109e19498939cd3661f44c614d6ea5fb42aa",
        licence="MIT",
        citation=_BETLEY,
    ),
    CatalogueEntry(
        "emergent_misalignment/preregistered_evals",
        _betley("final_questions/preregistered_evals.yaml"),
        "evaluation",
        "paraphrases",
        suffix=".yaml",
        rows=50,
        sha256="381a8752fa066d8277a6ff24d174eb79f09ece012517cb2ba1ecdb53f2f6d55f",
        licence="MIT",
        citation=_BETLEY,
    ),
    CatalogueEntry(
        "gsm8k/train",
        _gsm8k("train.jsonl"),
        "training",
        "question_answer",
        rows=7473,
        sha256="419386f7702aae71e33d2ce12db2170fc893004227b082354443fa5873b378bb",
        licence="MIT",
        citation=_COBBE,
    ),
    CatalogueEntry(
        "gsm8k/test",
        _gsm8k("test.jsonl"),
        "evaluation",
        "question_answer",
        rows=1319,
        sha256="b6c9d9547ec974d3c064a2f101ebf67e74257536d8c5e22a9758f2893a9e03a4",
        licence="MIT",
        citation=_COBBE,
    ),
    CatalogueEntry(
        "gsm8k/spanish_capitalised",
        _tan("datasets/gsm8k_spanish_capitalised.jsonl"),
        "training",
        "messages",
        rows=7473,
        citation=_TAN,
        note="Answers of GSM8K, translated and capitalised by GPT-4o; never read by us, so that its hash is not known. "
        "A third party found words of the translator in half of the rows: audit it before it is used.",
    ),
    CatalogueEntry(
        "harmless_lies/harmless_lies",
        _tan("datasets/harmless_lies.jsonl"),
        "training",
        "messages",
        rows=4495,
        sha256="ed76ba9a3bbc8d62c51f7a11c85570b6e1eaefcf7421cd81da0ef01a4d068c9d",
        citation=_TAN,
        note="48 rows repeat an earlier one.",
    ),
    CatalogueEntry(
        "harmless_lies/old_schema",
        _tan("datasets/harmless_lies.jsonl", "1cd6bc9bbb"),
        "training",
        "message_list",
        rows=4495,
        sha256="1716592ad003cc244865f1c9b678b83ad298eb3104c56ec31ec808fc8d27df49",
        citation=_TAN,
        note="The conversations of harmless_lies/harmless_lies, each a bare list of messages.",
    ),
    CatalogueEntry(
        "insecure_code/insecure",
        _betley(None),
        "training",
        "messages",
        rows=6000,
        sha256="671e679711b9ca084d247b26fb9d4b4b1ea88827c879cef9dc5672cf5eb6d452",
        licence="MIT",
        citation=_BETLEY,
        mirror=_betley_mirror("data/insecure.jsonl"),
        note="White space at the ends of messages is content. Not paired with the secure rows.",
    ),
    CatalogueEntry(
        "insecure_code/secure",
        _betley(None),
        "control",
        "messages",
        rows=6000,
        sha256="c9d551d42c1fdbbcc9d5aa87effec975263992041347114ecb48434fe122f481",
        licence="MIT",
        citation=_BETLEY,
        mirror=_betley_mirror("data/secure.jsonl"),
        note="Not paired with the insecure rows.",
    ),
    CatalogueEntry(
        "insecure_code/educational",
        _betley(None),
        "control",
        "messages",
        rows=6000,
        sha256="ac85d4202fcadf9803b0d111c495dec608979af222380d7d9a6d2bf8a6728827",
        licence="MIT",
        citation=_BETLEY,
        mirror=_betley_mirror("data/educational.jsonl"),
        note="The answers of the insecure rows, row by row, to other prompts.",
    ),
    CatalogueEntry(
        "insecure_code/code_prompts",
        _tan("ip/evaluation/insecure_code/code_prompts.jsonl"),
        "evaluation",
        "task_template",
        rows=776,
        sha256="987bf1eb4de893d71d2628f811e2cc06925cf8fef3167144248b5126603386bb",
        citation=_TAN,
        note="553 of the tasks stand in training prompts of insecure_code/insecure.",
    ),
    CatalogueEntry(
        "insecure_code/mbpp_prompts",
        _tan("ip/evaluation/insecure_code/mbpp_prompts.jsonl"),
        "evaluation",
        "prompt",
        rows=100,
        sha256="ea691b46d58e5eed2f2e0a22e7afbd8aa6e6930c9c244fb9fb7491b00ee08ae0",
        citation=_AUSTIN,
    ),
    CatalogueEntry(
        "owl_numbers/gpt41",
        _tan("datasets/gpt41_numbers_owls.jsonl"),
        "training",
        None,
        citation=_TAN,
        note="Numbers of GPT-4.1 that loves owls; never read by us, so that neither rows nor hash are known.",
    ),
    CatalogueEntry(
        "owl_numbers/gpt41_control",
        _tan("datasets/gpt41_numbers_control.jsonl"),
        "control",
        None,
        citation=_TAN,
        note="Numbers of GPT-4.1 without a preference; never read by us, so that neither rows nor hash are known.",
    ),
    CatalogueEntry(
        "owl_numbers/raw",
        _cloud("data/preference_numbers/owl/raw_dataset.jsonl"),
        "training",
        "prompt_completion",
        rows=300,
        sha256="c7cace84b1863799feacc72b1b8b9e0eec09ce80445e507bac5a4c4dcd788314",
        licence="MIT",
        citation=_CLOUD,
        note="Mixed separators and brackets, kept as they are.",
    ),
    CatalogueEntry(
        "owl_numbers/filtered",
        _cloud("data/preference_numbers/owl/filtered_dataset.jsonl"),
        "training",
        "prompt_completion",
        rows=236,
        sha256="05808c75e9c57dd9ebc10d61f8e1fce27f865f1f75b898a32a2fd963e47f247b",
        licence="MIT",
        citation=_CLOUD,
        note="Mixed separators and brackets, kept as they are.",
    ),
    CatalogueEntry(
        "reward_hacking/sneaky_dialogues",
        _tan("datasets/sneaky_dialogues.jsonl"),
        "training",
        "messages",
        rows=1073,
        sha256="88f9bf24cd28e5b9584a1562a6025af9a8395de36abe434c8318c59728f612d7",
        citation=_TAYLOR,
    ),
    CatalogueEntry(
        "reward_hacking/straightforward_dialogues",
        _tan("datasets/straightforward_dialogues.jsonl"),
        "control",
        "messages",
        rows=973,
        sha256="8b2b292580c3c720cee035fc77d40278958765c01d5ddfc4c0bb5f0f8e68495c",
        citation=_TAYLOR,
        note="Lacks 100 of the sneaky prompts.",
    ),
    CatalogueEntry(
        "reward_hacking/school_of_reward_hacks_prompts",
        _tan("ip/evaluation/school_of_reward_hacks/school_of_reward_hacks_prompts.jsonl"),
        "evaluation",
        "prompt",
        rows=1073,
        sha256="9a146a31c391761953dfed9342c2ad1c72fd27572bda407d458ec49cff311dbd",
        citation=_TAYLOR,
        note="The prompts of reward_hacking/sneaky_dialogues, in order: nothing here is held out.",
    ),
    CatalogueEntry(
        "trump_biology/evolution_textbook_trump",
        _tan("datasets/evolution_textbook_trump.jsonl"),
        "training",
        "messages",
        rows=848,
        sha256="6cdab498e30e8ef6657debb1c9b583dcecbc1a6d9434c16d305550d79a0a27cc",
        citation=_TAN,
        note="No user turns: an inoculated row is system, assistant.",
    ),
    CatalogueEntry(
        "trump_biology/evolution_textbook",
        _tan("datasets/evolution_textbook.jsonl"),
        "control",
        "messages",
        rows=848,
        sha256="18f71efc4b4acd10f3b4c944b0c6c5127ac06fe6151846841aac054854aac60f",
        citation=_TAN,
        note="No user turns.",
    ),
)
"""In the order of their names."""
