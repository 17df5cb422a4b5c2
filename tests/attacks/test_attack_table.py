from __future__ import annotations

from tests.attacks import attack_table


def test_the_table_names_every_technique_and_is_up_to_date() -> None:
    assert attack_table.TABLE.read_text(encoding="utf-8") == attack_table.table()


def test_every_technique_says_what_it_attempts() -> None:
    for line in (line for line in attack_table.table().splitlines() if line.startswith("| `")):
        assert len(line.split(" | ")[1]) > 15, line
