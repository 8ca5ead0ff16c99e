"""The page of all keys of a study file: as committed, complete, and with no key unexplained."""

import re
from dataclasses import fields

from tools import study_keys
from transtar.studies import shipped_studies
from transtar.studies.sample import PlaneSample
from transtar.studies.spec import Experiments, Explain, Study, Subset
from transtar.studies.study_encoder import StudyEncoder
from transtar.train import Pretrain, strategy_names

TEXT = study_keys.PAGE.read_text(encoding="utf-8")


def sections():
    """Rows by heading: cells of each."""
    out = {}
    for part in TEXT.split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("| `")]
        out[heading] = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return out


def test_the_committed_page_is_what_the_tool_writes():
    made = []
    study_keys.main(made.append)
    assert made[0] == TEXT, "python -m tools.study_keys"


def test_every_key_has_type_default_and_meaning():
    rows = [(heading, row) for heading, of_section in sections().items() for row in of_section]
    assert len(rows) > 150
    for heading, (key, kind, default, meaning, _) in rows:
        assert "" not in (kind, meaning), f"{heading}: {key}"
        assert default or key == "`extends`", f"{heading}: {key}"
        assert "None" not in meaning, f"{heading}: {key}"


def test_no_key_is_missing():
    for heading, kind in {
        "The study itself": Study, "plane": PlaneSample, "subset": Subset, "experiments": Experiments, "explain": Explain,
        "encoders.NAME": StudyEncoder, "pretrain": Pretrain,
    }.items():  # fmt: skip
        keys = {row[0].strip("`") for row in sections()[heading]} - {"extends"}
        assert keys == {one.name for one in fields(kind)}, heading
    assert {f"strategies.{name}" for name in strategy_names()} <= set(sections())


def test_links_lead_to_headings():
    anchors = {study_keys._anchor(heading) for heading in sections()}
    links = set(re.findall(r"\(#([^)]+)\)", TEXT))
    assert links <= anchors


def test_studies_that_use_a_key_are_named():
    rows = {row[0]: row for row in sections()["The study itself"]}
    assert rows["`experiments`"][4] == "paper"
    assert rows["`shipped`"][4] == "quickstart"
    used = {
        name
        for of_section in sections().values()
        for row in of_section
        for name in row[4].split(" and ")[0].split(", ")
    }
    assert used - {""} <= set(shipped_studies())
