"""What a study asks of its tables and does not get is said before a spectrum is read."""

import pytest
import yaml

from transtar.cli import main
from transtar.studies import run

STUDY = {
    "title": "A study",
    "source": {"survey": "lamost", "spectra": "lamost", "labels": "lamost.csv"},
    "target": {"survey": "miles", "spectra": "miles", "labels": "miles.csv", "split": "split.csv"},
    "models": {"feh": ["feh"], "teff": ["teff"]},
    "seeds": [0],
    "sizes": [2],
    "pretrain": {"epochs": 1},
    "strategies": {"ridge": {}},
}


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a study that differs from `STUDY`; returns what was said. Nothing may be prepared."""
    monkeypatch.setenv("TRANSTAR_DATA", str(tmp_path))
    monkeypatch.setattr(run, "make_inputs", lambda *_: pytest.fail("something was made"))
    monkeypatch.setattr(run, "prepared_set", lambda *_: pytest.fail("something was prepared"))
    for name in ("lamost", "miles"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.csv").write_text(
            "file,feh,teff\n" + "".join(f"{n}.fits,-0.{n},{5000 + n}\n" for n in range(6))
        )
    (tmp_path / "split.csv").write_text(
        "file,split\n" + "".join(f"{n}.fits,{'pool' if n < 4 else 'test'}\n" for n in range(6))
    )
    (tmp_path / "untested.csv").write_text("file,split\n0.fits,pool\n1.fits,pool\n")
    (tmp_path / "other.csv").write_text("file,feh,teff\n0.fits,-0.1,\n1.fits,-0.2,\n")
    (tmp_path / "no-split.csv").write_text("file,part\n0.fits,pool\n")

    def run_it(code, **changes):
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY | changes))
        assert main(["study", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out")]) == code
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1
        return said

    return run_it


@pytest.mark.parametrize(
    ("code", "changes", "message"),
    [
        (1, {"models": {"m": ["mg_fe"]}}, "source.labels: no star of lamost.csv has mg_fe, which m learns"),
        (1, {"source": STUDY["source"] | {"labels": "other.csv"}}, "no star of other.csv has teff, which teff learns"),
        (1, {"target": STUDY["target"] | {"labels": "other.csv"}}, "no star of other.csv has teff, by which teff is judged"),
        (1, {"sources": {"teff": {"labels": "other.csv"}}}, "sources.teff.labels: no star of other.csv has teff"),
        (2, {"sizes": [2, 5]}, "sizes: 5 stars to learn from, but the pool of miles has 4; give smaller sizes"),
        (1, {"target": STUDY["target"] | {"split": "untested.csv"}}, "target.split: untested.csv names no test star"),
        (1, {"target": STUDY["target"] | {"split": "no-split.csv"}}, "no-split.csv"),
        (2, {"target": {k: v for k, v in STUDY["target"].items() if k != "split"}}, "target: needs 'split'"),
        (1, {"pipeline": {"feh": "feh_sp"}}, "no column feh_sp, which pipeline.feh names"),
        (1, {"experiments": {"labels": ["logg"]}, "adapter": {2: "ridge"}}, "experiments need the label logg of miles"),
        (2, {"strategies": {"rigde": {}}}, "rigde"),
        (2, {"inputs": ["flux", "no-such-input"]}, "no-such-input"),
        (2, {"reporters": ["nonsense"]}, "nonsense"),
        (2, {"variants": {"v": {"sizes": [9]}}}, "study.yaml, variant v: sizes: 9 stars to learn from"),
        (2, {"catalogs": ["."], "selections": {"desi-edr": {}}, "target": STUDY["target"] | {"split": "selections/desi-edr"}},
         "target.split: the selection desi-edr tells no pool from test stars"),
    ],
)  # fmt: skip
def test_is_refused_in_one_line(refused, code, changes, message):
    assert message in refused(code, **changes)


def test_what_can_be_known_later_only_is_let_pass(refused, tmp_path, monkeypatch):
    """Tables that the study has still to make; a label that a model of several lacks; a split that needs no test stars."""
    reached = []
    monkeypatch.setattr(run, "make_inputs", lambda *_: reached.append(1) or (_ for _ in ()).throw(KeyboardInterrupt))
    for changes in (
        {},
        {
            "simulate": {},
            "target": STUDY["target"] | {"labels": "universe/miles/labels.csv", "split": "universe/x.csv"},
        },
        {"models": {"both": ["feh", "mg_fe"]}},
        {"split": "validation", "target": {k: v for k, v in STUDY["target"].items() if k != "split"}},
    ):
        assert "interrupted" in refused(130, **changes)
    assert len(reached) == 4
