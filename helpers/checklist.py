"""Twenty things to be able to do, and which of them your progress shows."""

from __future__ import annotations

import html
from pathlib import Path

from helpers.checking import card, key
from helpers.checking.progress import recall

# What you can do, and the exercise that shows it.
ITEMS: tuple[tuple[str, str], ...] = (
    ("define entropy", "entropy"),
    ("prove that KL is at least 0", "derivations"),
    ("split cross-entropy in two", "decomposition_in_latex"),
    ("tell forward from reverse KL", "moment_match"),
    ("write mutual information as a KL", "mutual_information_in_latex"),
    ("use an f-divergence and its special cases", "f_divergence"),
    ("run gradient descent", "gradient_descent"),
    ("say what momentum adds up", "momentum_step"),
    ("write all of Adam", "adam_step"),
    ("tell AdamW from L2", "adamw_step"),
    ("draw a cosine schedule", "warmup_cosine"),
    ("compute the cross-entropy loss from logits", "cross_entropy_from_logits"),
    ("read a perplexity", "perplexity"),
    ("bound a divergence by a classifier, as a GAN does", "js_from_classifier"),
    ("take a natural gradient step", "natural_gradient_step"),
    ("write the Fisher matrix", "natural_gradient_in_latex"),
    ("tell Lagrange from KKT", "water_filling"),
    ("trade rate for distortion", "rate_distortion"),
    ("find an information bottleneck", "information_bottleneck"),
    ("check the identities of mutual information on numbers", "mutual_information_three_ways"),
)
DONE, AGAIN, NOT_YET = "done", "try again", "not yet tried"
LINKS = "A link opens the exercise's notebook; where that is open already, it goes to the exercise itself."
BANDS = (
    (15, "You have it. What is left is a matter of an evening."),
    (10, "Most of it is there. Go over those that are left."),
    (7, "A good part is there. The notebooks of the others are worth a second reading."),
    (0, "A beginning. Start at notebook 01, an exercise a day; nobody reads all of this at once."),
)


def states() -> list[tuple[str, str, str, str]]:
    """(what you can do, exercise, its notebook, state) for all items."""
    done = recall()
    homes = {
        name: (one["notebook"], entry["points"])
        for one in key.keys(key.folder())
        for name, entry in one["exercises"].items()
    }
    found = []
    for words, exercise in ITEMS:
        notebook, points = homes[exercise]
        marks = done.get(exercise, {}).get("marks")
        found.append((words, exercise, notebook, NOT_YET if marks is None else DONE if marks >= points else AGAIN))
    return found


def band(count: int) -> str:
    """What so many done items mean."""
    return next(words for least, words in BANDS if count >= least)


def checklist() -> None:
    """Show the twenty items with their states, and a link to the exercise of each."""
    rows = states()
    count = sum(state == DONE for *_, state in rows)
    last = f"{count} of {len(rows)}. {band(count)}"
    text, body = ["Checklist"], []
    signs = {DONE: True, AGAIN: False, NOT_YET: None}
    for words, exercise, notebook, state in rows:
        text.append(f"  {card.SIGNS[signs[state]]} {words}: {state} ({exercise}, {notebook})")
        link = f" <a href='{html.escape(address(notebook, exercise))}'>{html.escape(exercise)}</a>"
        body.append(card.row(words, signs[state], state, link))
    body.append(card.paragraph(last))
    body.append(card.paragraph(f"<span style='color:{card.FAINT}'>{LINKS}</span>"))
    card.show(card.Card("\n".join([*text, f"  {last}"]), card.frame("Checklist", "", "".join(body), card.ACCENTS[""])))


def address(notebook: str, exercise: str) -> str:
    """Where an exercise is, seen from a notebook beside its own. JupyterLab opens the notebook at the cell with that
    id; elsewhere the notebook opens at its beginning."""
    return f"{(Path('..') / notebook / notebook).as_posix()}.ipynb#cell-id={exercise}"
