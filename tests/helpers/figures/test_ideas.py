"""The map of ideas: one table, drawn in notebook 07 and in the README."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from helpers.figures import ideas
from helpers.plotting import Picture, alt_of

ROOT = Path(__file__).resolve().parents[3]


def test_links_join_ideas_that_are_on_the_map_and_lead_forwards():
    every = [idea for group in ideas.IDEAS.values() for idea in group]
    assert len(set(every)) == len(every)
    pairs = [(start, end) for start, end, _ in ideas.LINKS]
    assert len(set(pairs)) == len(pairs)
    assert {name for pair in pairs for name in pair} == set(every)
    leads = {idea: [end for start, end in pairs if start == idea] for idea in every}

    def follow(idea: str, seen: tuple[str, ...]) -> None:
        assert idea not in seen, f"a circle: {' to '.join([*seen, idea])}"
        for further in leads[idea]:
            follow(further, (*seen, idea))

    for idea in every:
        follow(idea, ())


def test_every_notebook_has_its_column_and_every_idea_its_place():
    assert sorted(n for column in ideas.COLUMNS for n in column) == sorted(ideas.IDEAS)
    assert len(set(ideas.places().values())) == sum(map(len, ideas.IDEAS.values()))


def test_each_ideas_words_are_in_its_notebook():
    for notebook, group in ideas.IDEAS.items():
        (source,) = (ROOT / "solutions").glob(f"{notebook}-*/*.py")
        text = source.read_text(encoding="utf-8").lower()
        for idea in group:
            assert all(word in text for word in re.split(r"[\s-]", idea.lower())), (notebook, idea)


def test_the_picture_in_the_readme_is_this_map():
    figure = ideas.map_of_ideas()
    assert ideas.drawn() == ideas.fingerprint(), "run python -m helpers.figures.ideas"
    assert f"![{alt_of(figure)}](docs/ideas.png)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(Picture(figure, alt_of(figure)).png) < 60_000


def test_drawing_it_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(ideas, "PICTURE", tmp_path / "ideas.png")
    assert ideas.main() == 0
    assert [file.name for file in tmp_path.iterdir()] == ["ideas.png"]
    assert Image.open(tmp_path / "ideas.png").info["ideas"] == ideas.fingerprint()
