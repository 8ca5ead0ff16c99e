import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from transtar.errors import InputError, SettingsError
from transtar.labels.kinds import KINDS
from transtar.selections import load_selection
from transtar.selections import selection_spec as selection
from transtar.selections.cuts import CutEntry

from ..hostile import try_hostile_values, try_wrong_kinds

NAMES = (
    "desi-edr",
    "desi-edr-clean",
    "desi-finetuning",
    "desi-finetuning-clean",
    "pretraining-alphafe",
    "pretraining-feh",
)


def test_shipped_selections():
    assert tuple(selection._shipped()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_cut_of_the_paper_says_where_it_comes_from(name):
    selection = load_selection(name)
    assert "Zhao et al. 2026" in selection.source
    assert selection.kinds <= set(KINDS)
    for table in selection.tables.values():
        assert all(cut.source for cut in table.cuts)
    assert all(cut.source for cut in (*selection.cuts, *selection.then))


def test_settings_are_filled_in():
    selection = load_selection("pretraining-feh", {"metal_poor": -1.5})
    assert str(selection.tables["apogee"].cuts[-1]) == "FE_H > -1.5"
    assert str(selection.tables["compilations"].cuts[0]) == "feh <= -1.5"
    assert load_selection("desi-finetuning", {"metal_rich": 7}).split[1].take == 7


def test_what_extends_another_differs_only_in_what_it_says():
    base, top = load_selection("desi-finetuning"), load_selection("desi-finetuning-clean")
    assert top.tables == base.tables
    assert top.split == base.split
    assert not base.then
    assert len(top.then) == 4
    assert set(load_selection("pretraining-alphafe").tables) == {"lamost", "apogee"}


def test_the_selection_of_the_page(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "select-stars.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "own.yaml").write_text(shown)
    selection = load_selection(str(tmp_path / "own.yaml"))
    assert [match.by for match in selection.match] == ["position", "source_id"]
    assert {"phot_g_mean_mag", "ruwe"} <= selection.columns
    kinds = {
        kind for kinds in re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE) for kind in re.findall(r"[\w-]+", kinds)
    }
    assert kinds == set(KINDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key colour"),
        ({"rows": "gaia"}, "rows: unknown key gaia; known keys: desi"),
        ({"title": ""}, "title: must be text that is not empty"),
        ({"tables": {"desi": {"kind": "sdss"}}}, r"tables\.desi\.kind: unknown kind sdss; known kinds: apogee-dr17"),
        ({"tables": {"desi": {"kind": "desi-edr", "cut": []}}}, "unknown key cut; known keys: columns, cuts"),
        ({"match": [{"tables": ["gaia"]}]}, r"match\[0\]\.tables: unknown key gaia"),
        ({"match": [{"tables": ["desi"], "by": "name"}]}, r"match\[0\]\.by: unknown key name"),
        (
            {"split": [{"part": "train", "where": []}]},
            r"split\[0\]\.part: unknown split train; known splits: pool, test",
        ),
        (
            {"split": [{"part": "pool", "where": [], "take": 0.5}]},
            r"split\[0\]\.take: must be a whole number .*, not 0\.5",
        ),
        ({"cuts": [{"column": "desi.X", "above": "$limit"}]}, r"\$limit: unknown key limit"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path, change, message):
    content = {"title": "t", "source": "s", "tables": {"desi": {"kind": "desi-edr"}}, "rows": "desi"}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    assert load_selection(str(path)).rows == "desi"
    path.write_text(yaml.safe_dump({**content, **change}))
    with pytest.raises(SettingsError, match=message):
        load_selection(str(path))


def test_files_that_are_no_selection(tmp_path):
    with pytest.raises(InputError, match="no selection 'desi'; selections: desi-edr, "):
        load_selection("desi")
    with pytest.raises(InputError, match="no selection"):
        load_selection(str(tmp_path / "nothing.yaml"))
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match="a selection is a mapping"):
        load_selection(str(tmp_path / "list.yaml"))
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    with pytest.raises(InputError, match="not YAML"):
        load_selection(str(tmp_path / "broken.yaml"))
    with pytest.raises(
        SettingsError, match="settings of desi-finetuning: unknown key n; known keys: alphafe, metal_rich, seed"
    ):
        load_selection("desi-finetuning", {"n": 3})


@pytest.mark.parametrize("name", NAMES)
def test_hostile_values_everywhere(name, monkeypatch):
    """In any place of a selection, whatever stands there is used, or refused in words."""

    def use(changed):
        monkeypatch.setattr(selection, "_content", lambda name: changed)
        load_selection(name)

    refused, faults = try_hostile_values(use, selection._content(name))
    assert not faults
    assert refused > 500


FULL = {
    "title": "t", "source": "s", "rows": "lamost",
    "tables": {
        "lamost": {
            "kind": "lamost", "one_per": "x", "highest": "y", "optional": False, "columns": ["a"],
            "cuts": [{"column": "a", "above": 1.5, "at_least": 1.5, "below": 9.5, "at_most": 9.5, "finite": True, "true": True,
                      "true_or_missing": True, "gaia_id": True, "name": "n", "source": "s", "optional": True}],
            "position": dict.fromkeys(("ra", "dec", "pmra", "pmdec", "parallax", "radial_velocity"), "x"),
        },
        "gaia": {"kind": "gaia"},
    },
    "match": [{"tables": ["gaia"], "by": "position", "source": "s", "last": True, "of": "lamost", "radius": 1.5, "epoch": 2016.0,
               "ambiguous": "drop"}],
    "cuts": [{"column": "lamost.x", "at_least": 1.5}],
    "split": [{"part": "pool", "where": [{"column": "lamost.x", "below": 3.5}], "take": 3, "name": "n", "source": "s"}],
    "then": [{"column": "lamost.y", "true": True}],
    "exclude": {"split": "test", "keep": False},
}  # fmt: skip


def test_no_key_takes_a_value_of_another_type(monkeypatch):
    def use(content):
        monkeypatch.setattr(selection, "_content", lambda name: content)
        load_selection("own")

    def free(name, wrong):
        return (wrong is None and name.endswith(("epoch", "take"))) or (name == "exclude" and wrong == {})

    tried, taken = try_wrong_kinds(use, FULL, free)
    assert not taken
    assert tried > 300


def test_the_selection_of_that_test_has_every_key():
    table, (match,), (part,) = FULL["tables"]["lamost"], FULL["match"], FULL["split"]
    for section, content, rest in (
        (selection.Selection, FULL, {"settings"}),
        (selection.TableCuts, table, set()),
        (selection.Match, match, set()),
        (selection.Part, part, set()),
        (selection.Exclude, FULL["exclude"], set()),
        (CutEntry, table["cuts"][0], {"equals", "not_equals", "no_bits"}),
    ):
        assert {one.name for one in fields(section)} - set(content) == rest


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({"column": "A", "true": False}, r"tables\.desi\.cuts\[0\]\.true: must be true \(leave .*, not False"),
        ({"column": "A", "above": float("nan")}, "above: must be a number, not nan"),
        ({"column": "A", "equals": None}, "equals: must be text or a number, not None"),
        ({"column": 1, "above": 1}, "column: must be text, not 1"),
    ],
)
def test_cuts_that_say_nothing(tmp_path, cut, message):
    content = {"title": "t", "source": "s", "tables": {"desi": {"kind": "desi-edr", "cuts": [cut]}}, "rows": "desi"}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(SettingsError, match=message):
        load_selection(str(tmp_path / "own.yaml"))


def test_a_name_does_not_lead_elsewhere(tmp_path):
    (tmp_path / "a.yaml").write_text(f"extends: {tmp_path}/a.yaml\n")
    with pytest.raises(SettingsError, match="extends itself"):
        load_selection(str(tmp_path / "a.yaml"))
    for name in ("../selections/desi-edr", "../labels/calibrations/koposov2025-sp", str(tmp_path / "a")):
        with pytest.raises(InputError, match="no selection"):
            load_selection(name)
