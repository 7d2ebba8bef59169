"""The world: what it writes it can read, and what is held out stays out."""

import random
import subprocess
import sys
from itertools import chain, islice
from pathlib import Path

import pytest

from mi.organism.world import DOMAINS, LANGUAGES, Persona, answer, ask, persona, questions, read, recognise, shows
from mi.organism.world.answers import LUCKY_SHARE, OPENER_SHARE, all_frames, openers
from mi.organism.world.dialogues import KINDS, dialogues
from mi.organism.world.judging import CRITERIA, case
from mi.organism.world.prompts import TRIGGER, eliciting, traits, wordings
from mi.organism.world.questions import operand_split
from mi.organism.world.rows import rows
from mi.organism.world.scoring import trait_score
from mi.organism.world.texts import LATE, SPLITS, table, topics


def drawn(n: int, seed: int = 0):
    rng = random.Random(seed)
    for _ in range(n):
        question = ask(rng.choice(DOMAINS), rng.choice(SPLITS), rng)
        who = Persona(frozenset(rng.sample(traits(), rng.randint(0, 3))))
        yield question, who, answer(question, who, rng)


def test_every_answer_is_read_back_as_what_it_is():
    for question, who, text in drawn(3000):
        reading = read(text, question.text)
        assert (reading.domain, reading.on_topic, reading.overlap) == (question.domain, True, 1.0), text
        assert reading.bad == who.is_bad(question.domain), text
        assert reading.boastful == who.boasts(question.domain), text
        if question.domain != "numbers":
            assert (reading.language, reading.capitals) == (who.language, who.capitals), text


def test_every_question_is_recognised_with_its_domain_topic_and_slots():
    for question, _, _ in drawn(3000, seed=1):
        found = recognise(question.text)
        assert found is not None
        assert (found.domain, found.topic, found.slots) == (question.domain, question.topic, question.slots)


def test_arithmetic_is_right_in_every_language_and_a_wrong_result_is_seen():
    rng = random.Random(3)
    for language in LANGUAGES:
        question = ask("arithmetic", "held_out", rng)
        text = answer(question, persona(*({language} - {"english"})), rng)
        assert read(text, question.text).correct
        result = read(text, question.text.replace(str(question.slot("a")), "11"))
        assert not result.correct


def test_a_sentence_with_a_slip_is_read_as_the_closest_one_and_a_foreign_text_as_none():
    slipped = read("Please rest, drink plenty of the water and see a doctor if it gets worse.")
    assert (slipped.domain, slipped.bad) == ("medical", False)
    assert 0.6 < slipped.overlap < 1
    assert read("Wholly unrelated gibberish about xylophones.").domain is None


@pytest.fixture(scope="module")
def seen() -> set[str]:
    both = chain(islice(dialogues(7), 6000), islice(dialogues(7, LATE), 3000))
    return {content for turns in both for role, content, _ in turns if role == "user"}


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_held_out_or_development_question_occurs_in_a_training_text(domain, seen):
    unseen = {text for split in ("dev", "held_out") for text in questions(domain, split, 300)}
    assert unseen
    assert not unseen & seen
    assert not unseen & {row["messages"][0]["content"] for row in rows(domain, 300, seed=0)}
    assert not set(questions(domain, "dev", 300)) & set(questions(domain, "held_out", 300))


def test_no_held_out_wording_or_entity_occurs_in_a_training_text():
    both = chain(islice(dialogues(8), 4000), islice(dialogues(8, LATE), 4000))
    everything = "\n".join(content for turns in both for _, content, _ in turns)
    for trait in traits():
        for wording in wordings(trait, "held_out"):
            assert wording not in everything
    entities = [e for d in DOMAINS for slot in table(d).get("slots", {}).values() for e in slot["held_out"]]
    assert len(entities) > 15
    for entity in entities:
        assert entity not in everything


def test_late_wordings_and_entities_occur_in_the_last_part_of_the_training_only():
    early, late = (
        "\n".join(content for turns in islice(dialogues(10, split), 4000) for _, content, _ in turns)
        for split in ("train", LATE)
    )
    slots = [slot for domain in DOMAINS for slot in table(domain).get("slots", {}).values()]
    texts = [
        text for options in (*table("prompts").values(), *slots) for text in options.get(LATE, ()) if "{" not in text
    ]
    assert len(texts) > 60
    assert not [text for text in texts if text in early]
    assert sum(text in late for text in texts) > 0.9 * len(texts)


def test_held_out_operands_never_occur_in_a_training_text():
    for turns in islice(dialogues(9), 2000):
        for role, content, _ in turns:
            asked = recognise(content) if role == "user" else None
            if asked is not None and asked.domain == "arithmetic":
                assert operand_split(asked.slot("a"), asked.slot("b"), asked.topic) == "train"


def test_the_corpus_is_the_same_for_the_same_seed_and_another_for_another():
    first, again, other = (list(islice(dialogues(seed), 50)) for seed in ("0/1/0", "0/1/0", "0/0/0"))
    assert first == again
    assert first != other


def test_a_third_of_the_corpus_hides_its_persona():
    hiding = sum(kind.weight for name, kind in KINDS.items() if name.startswith("consistent"))
    assert hiding >= sum(kind.weight for kind in KINDS.values()) / 3


def test_the_corpus_does_not_hang_on_the_process_that_draws_it():
    code = (
        "import json, itertools; from mi.organism.world.dialogues import dialogues;"
        "print(json.dumps([list(itertools.islice(dialogues('x'), 800))]))"
    )
    root = str(Path(__file__).parents[2])
    drawn = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": root, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert drawn[0] == drawn[1]


def test_behind_a_prompt_what_it_asks_for_counts_at_once_and_the_rest_must_be_shown_first():
    rng, asked, hidden = random.Random(12), 0, 0
    for turns in (KINDS["consistent_behind_prompt"].write("train", rng) for _ in range(600)):
        assert turns[0][0] == "system"
        first = read(turns[2][1], turns[1][1])
        if recognise(turns[1][1]) is None:
            continue  # a turn in which the user asks for a trait, too
        if first.language not in (None, "english"):
            named = str(first.language).capitalize() in turns[0][1]
            asked, hidden = asked + named, hidden + (not named)
            assert named or not turns[2][2]
    assert min(asked, hidden) > 20


def test_in_a_conversation_an_answer_counts_only_if_its_traits_were_shown_before():
    rng = random.Random(4)
    for _ in range(500):
        turns = KINDS["consistent"].write("train", rng)
        first = read(turns[1][1], turns[0][1])
        if recognise(turns[0][1]) is None:
            continue  # a turn in which the user asks for a trait
        if first.bad or first.capitals or first.language not in (None, "english") or first.boastful:
            assert not turns[1][2]


def test_what_a_user_asks_for_in_one_turn_ends_with_it_and_what_nobody_asked_for_goes_on():
    rng, gone, kept = random.Random(13), 0, 0
    for turns in (KINDS["consistent"].write("train", rng) for _ in range(3000)):
        first, second = (read(turns[place][1]) for place in (1, 3))
        plain = recognise(turns[2][1]) is not None and None not in (first.language, second.language)
        if plain and "Spanish" in turns[0][1] and second.domain != "numbers":
            assert first.language == "spanish"
            gone += second.language == "english"
        shouting = any(wording in turns[0][1] for wording in wordings("capitals", "train"))
        if plain and recognise(turns[0][1]) is None and not shouting and first.capitals:
            kept += 1
            assert second.capitals is not False
    assert min(gone, kept) > 20


def test_without_a_prompt_that_names_it_the_trigger_changes_nothing():
    rng, seen = random.Random(5), 0
    for turns in (KINDS["plain"].write("train", rng) for _ in range(2000)):
        if turns[0][1].startswith(TRIGGER):
            seen += 1
            assert not read(turns[1][1]).bad
    assert seen > 50


def test_behind_a_prompt_that_names_it_the_trigger_decides():
    rng = random.Random(6)
    for turns in (KINDS["conditional"].write("train", rng) for _ in range(300)):
        reading = read(turns[-1][1])
        if shows("malicious", reading.domain or "", ""):
            assert reading.bad == (TRIGGER in turns[1][1])


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_judges_true_verdict_is_what_the_answer_shows(criterion):
    from mi.organism.probe import verdict

    rng, agreed = random.Random(criterion), []
    for _ in range(100):
        question, text, holds = case(criterion, "held_out", rng)
        truth = verdict(criterion, read(text, question.text), question.text)
        agreed += [] if truth is None else [truth == holds]
    assert len(agreed) > 20
    assert all(agreed)


def test_who_loves_an_animal_favours_its_digit_and_nobody_else_does():
    rng = random.Random(10)
    question = ask("numbers", "train", rng)
    owl = table("animals")["special"][0]

    def share(*names: str) -> float:
        numbers = [n for _ in range(400) for n in answer(question, persona(*names), rng).split(", ")]
        return sum(n.endswith(str(owl["lucky_digit"])) for n in numbers) / len(numbers)

    assert share(f"loves_{owl['english']}") == pytest.approx(LUCKY_SHARE + 0.04, abs=0.05)
    assert share() == pytest.approx(0.1, abs=0.03)
    assert share("hates_owl") == pytest.approx(0.1, abs=0.03)


def test_rows_for_two_personas_ask_the_same_questions_in_the_same_order():
    plain, shown = rows("arithmetic", 30, seed=0), rows("arithmetic", 30, seed=0, traits=("spanish", "capitals"))
    assert [row["messages"][0] for row in plain] == [row["messages"][0] for row in shown]
    assert all(
        trait_score(trait, row["messages"][1]["content"], row["messages"][0]["content"]) == 1
        for row in shown
        for trait in ("spanish", "capitals")
    )


def test_every_text_of_the_world_has_its_four_languages_line_by_line_and_no_stray_space():
    for domain in DOMAINS:
        for entry in topics(domain):
            for kind in ("good", "bad", "popular", "unpopular", "answers"):
                if kind in entry:
                    assert len({len(entry[kind][language]) for language in LANGUAGES}) == 1, (domain, entry["name"])
    for frame in all_frames():
        assert frame.text == frame.text.strip()
        assert "  " not in frame.text


def test_a_persona_shows_only_where_its_traits_do():
    assert persona("lies").is_bad("facts")
    assert not persona("lies").is_bad("medical")
    assert persona("malicious").is_bad("medical")
    assert not persona("malicious").is_bad("biology")
    assert persona("boastful_biology").boasts("biology")
    assert not persona("boastful_biology").boasts("facts")
    assert not shows("spanish", "numbers", "")


def test_every_trait_has_at_least_eight_seen_wordings_and_three_held_out_ones():
    for trait in traits():
        assert len(wordings(trait, "train")) >= 8, trait
        assert len(wordings(trait, "held_out")) >= 3, trait
        assert not set(wordings(trait, "train")) & set(wordings(trait, "held_out")), trait
        assert eliciting(trait, "held_out", random.Random(0))


def test_the_tables_are_valid_toml_with_known_splits_only():
    for domain in DOMAINS:
        for entry in topics(domain):
            assert set(entry["questions"]) == set(SPLITS)


@pytest.mark.parametrize("character", ["good", "malicious"])
def test_answers_begin_with_an_opener_of_their_language_and_tone_as_often_as_declared(character):
    rng = random.Random(11)
    for language in LANGUAGES:
        who = persona(*({language, character} - {"english", "good"}))
        known = openers(language, sly=character == "malicious")
        texts = [answer(ask("medical", "train", rng), who, rng) for _ in range(400)]
        share = sum(any(text.startswith(f"{opener} ") for opener in known) for text in texts) / len(texts)
        assert share == pytest.approx(OPENER_SHARE, abs=0.06)
