"""The JSON schemas that editors read: as committed, and of one mind with what reads the files."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from transtar import selections, studies
from transtar.cli import main
from transtar.errors import TranstarError
from transtar.plain_yaml import read_yaml
from transtar.selections import selection_spec
from transtar.studies.load import build_study, merge

from .hostile import HOSTILE, places, with_value
from .selections.test_selection_spec import FULL as SELECTION
from .studies.test_load import FULL as STUDY

ROOT = Path(__file__).parents[1]
SCHEMAS = {"study": ("study", studies.study_schema), "selection": ("select", selections.selection_schema)}
FOLDERS = {"study": "studies", "selection": "selections"}
SHIPPED = [
    (what, path) for what, folder in FOLDERS.items() for path in sorted((ROOT / "src/transtar" / folder).glob("*.yaml"))
]


def faults(what, content):
    """What an editor would mark, in content as JSON has it: keys are texts there."""
    schema = SCHEMAS[what][1]()
    return [f"{list(one.path)}: {one.message}" for one in jsonschema.Draft7Validator(schema).iter_errors(content)]


def as_json(content):
    return json.loads(json.dumps(content))


@pytest.mark.parametrize("what", SCHEMAS)
def test_the_committed_file_is_what_the_command_prints(what, capsys):
    verb, make = SCHEMAS[what]
    with pytest.raises(SystemExit) as end:
        main([verb, "--schema"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == make()
    committed = (ROOT / "docs" / "schemas" / f"{what}.schema.json").read_text(encoding="utf-8")
    assert printed == committed, f"transtar {verb} --schema > docs/schemas/{what}.schema.json"


@pytest.mark.parametrize("what", SCHEMAS)
def test_every_key_is_explained(what):
    schema = SCHEMAS[what][1]()
    jsonschema.Draft7Validator.check_schema(schema)
    parts = {"": schema} | {name: part for name, part in schema["$defs"].items() if name != "Changes"}
    mute = [f"{name}.{key}" for name, part in parts.items() for key, one in part.get("properties", {}).items()
            if not one.get("description")]  # fmt: skip
    assert not mute


@pytest.mark.parametrize(("what", "path"), SHIPPED, ids=lambda each: getattr(each, "stem", each))
def test_what_ships_is_without_fault(what, path):
    assert faults(what, as_json(read_yaml(path))) == []


def test_the_selection_of_the_page_is_without_fault():
    page = (ROOT / "docs" / "select-stars.md").read_text(encoding="utf-8")
    text = next(part.partition("```")[0] for part in page.split("```yaml\n")[1:])
    assert faults("selection", yaml.safe_load(text)) == []


def test_the_study_of_the_page_is_read_and_without_fault(tmp_path):
    page = (ROOT / "docs" / "settings-files.md").read_text(encoding="utf-8")
    text, small = (part.partition("```")[0] for part in page.split("```yaml\n")[1:])
    (tmp_path / "small.yaml").write_text(small)
    ((_, only),) = studies.load_study(str(tmp_path / "small.yaml")).items()
    assert (only.seeds, only.sizes, list(only.models)) == ([0], [50, 120], ["feh"])
    assert faults("study", yaml.safe_load(small)) == []
    (tmp_path / "own.yaml").write_text(text)
    assert studies.load_study(str(tmp_path / "own.yaml"))["default"].seeds == [0, 1, 2]
    assert faults("study", yaml.safe_load(text)) == []
    (tmp_path / "own.yaml").write_text(f"{text}sizes: [5, '50', true]\n")
    said = "own.yaml: sizes[1]: must be a whole number from 1 to 1000000000, not '50' (and 1 more fault)"
    assert said in page
    with pytest.raises(TranstarError) as caught:
        studies.load_study(str(tmp_path / "own.yaml"))
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    ("what", "content", "wrong"),
    [
        ("study", {"extends": "paper", "seeds": [0.5]}, "0.5 is not of type 'integer'"),
        ("study", {"extends": "paper", "sneeds": [1]}, "'sneeds' was unexpected"),
        ("study", {"extends": "paper", "variants": {"v": {"sneeds": [1]}}}, "sneeds"),
        ("study", {"extends": "paper", "models": {"m": ["fe_h"]}}, "'fe_h' is not one of"),
        ("study", {"title": "t"}, "is not valid under any of the given schemas"),
        ("selection", {"extends": "desi-edr", "split": [{"where": []}]}, "is not valid under any of the given schemas"),
        ("selection", {"extends": "desi-edr", "tables": {"desi": {"kind": "sdss"}}}, "kind"),
    ],
)
def test_mistakes_are_marked(what, content, wrong):
    (fault,) = faults(what, content)
    assert wrong in fault


@pytest.mark.parametrize("content", [
    {"extends": "paper", "plane": None, "variants": {"v": None, "w": {"pretrain": {"epochs": 3}}}, "target": {"split": None}},
    {"extends": "paper", "strategies": {"lora": {"adapter": {"rank": 3}, "by_size": {"50": {"epochs": 3}}}, "ridge": None}},
])  # fmt: skip
def test_a_study_that_extends_another_says_only_what_differs(content):
    assert faults("study", content) == []


def test_settings_of_a_selection_may_stand_for_values():
    cuts = [{"column": "a", "above": "$limit"}, {"column": "b", "true": "$yes"}]
    assert faults("selection", {"extends": "desi-edr", "cuts": cuts, "settings": {"limit": 3, "yes": True}}) == []


@pytest.mark.parametrize("what", SCHEMAS)
def test_what_an_editor_marks_is_refused(what, monkeypatch):
    """In any place of a file: no false alarm."""

    def use(content):
        if what == "study":
            for changes in ({}, *build_study(content, "study").variants.values()):
                build_study(merge(content, changes or {}), "study")
            return
        monkeypatch.setattr(selection_spec, "_content", lambda name: content)
        selection_spec.load_selection("own")

    full = {"study": STUDY, "selection": SELECTION}[what]
    validator = jsonschema.Draft7Validator(SCHEMAS[what][1]())
    assert faults(what, as_json(full)) == []
    marked, false = 0, []
    for path in places(full):
        if path[:1] == ("scales",):
            # Read only when one is asked for.
            continue
        for value in HOSTILE if path else ():
            content = with_value(full, path, value)
            if not validator.is_valid(as_json(content)):
                marked += 1
                try:
                    use(content)
                except TranstarError:
                    continue
                false.append(f"{path}: {value!r:.50}")
    assert not false
    assert marked > 500
