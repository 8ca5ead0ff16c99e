"""Entries of the bibliography, and that everything that ships has one."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from transtar.citing import Use, bibliography, cite
from transtar.citing.bibliography import NOTHING, entries
from transtar.labels.kinds import KINDS
from transtar.surveys import get_survey
from transtar.version import __version__

ROOT = Path(__file__).parents[2]
TEXT = (files("transtar.citing") / "references.bib").read_text(encoding="utf-8")


def parsed(text):
    """Entries of BibTeX as (type, key, fields), by counting braces: independent of how the package reads them."""
    out, place = [], 0
    while (start := text.find("@", place)) >= 0:
        opened = text.index("{", start)
        depth, place = 1, opened + 1
        while depth:
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            place += 1
        body = text[opened + 1 : place - 1]
        key, _, rest = body.partition(",")
        fields, at = {}, 0
        while (equals := rest.find("=", at)) >= 0:
            name = rest[at:equals].strip(" ,\n")
            first = rest.index("{", equals)
            level, at = 1, first + 1
            while level:
                level += {"{": 1, "}": -1}.get(rest[at], 0)
                at += 1
            assert name not in fields, f"{key}: {name} twice"
            fields[name] = rest[first + 1 : at - 1]
        assert not rest[at:].strip(" ,\n"), key
        out.append((text[start + 1 : opened], key.strip(), fields))
    return out


def test_every_entry_parses_and_keys_are_unique():
    all_entries = parsed(TEXT)
    keys = [key for _, key, _ in all_entries]
    assert len(keys) == len(set(keys)) > 20
    for kind, key, fields in all_entries:
        assert kind in ("article", "software", "misc"), key
        assert {"author", "usedfor"} <= set(fields), key
        assert re.fullmatch(r"[A-Za-z0-9]+", key)
        assert all(value.strip() for value in fields.values()), key
        if kind == "article":
            assert {"journal", "year"} <= set(fields), key
            assert fields.get("title") or fields.get("note"), key
            assert {"eprint", "volume"} & set(fields), key
        assert re.fullmatch(r"10\.\d{4,5}/\S+", fields.get("doi", "10.1000/x")), key
        assert re.fullmatch(r"\d{4}\.\d{5}", fields.get("eprint", "0000.00000")), key
        assert ("eprint" in fields) == ("archiveprefix" in fields), key


def test_the_printed_entries_are_those_of_the_file():
    printed = {entry for some in entries().values() for entry in some}
    by_key = {key: fields for _, key, fields in parsed("\n".join(printed))}
    wanted = {key: fields for _, key, fields in parsed(TEXT)}
    assert set(by_key) == set(wanted)
    for key, fields in by_key.items():
        rest = {name: value for name, value in wanted[key].items() if name != "usedfor"}
        assert fields == rest | ({"version": __version__} if key == "transtar" else {})


SURVEYS = ("lamost", "miles", "desi", "desi-brz", "gaia-xp", "sparcl", "generic")


@pytest.mark.parametrize("name", SURVEYS)
def test_every_survey_has_an_entry_that_agrees_with_its_reader(name):
    use = Use("survey", name)
    if (use.kind, use.name) in NOTHING:
        assert not get_survey(name).citation
        return
    text = "\n".join(entries()[use])
    fields = [each for _, _, each in parsed(text)]
    assert fields
    # Volumes and pages, or arXiv numbers, as the reader says them.
    for wanted in re.findall(r"(?:RAA|MNRAS|A&A|AJ) (\d+), (A?\d+)", get_survey(name).citation):
        assert any(
            each.get("volume") == wanted[0] and each.get("pages", "").startswith(wanted[1]) for each in fields
        ), wanted
    for number in re.findall(r"arXiv:(\d+\.\d+)", get_survey(name).citation):
        assert any(each.get("eprint") == number for each in fields), number


def test_every_survey_that_ships_is_tested_here():
    modules = (ROOT / "src/transtar/surveys").glob("*.py")
    names = {name for path in modules for name in re.findall(r'^ +name="([a-z-]+)"', path.read_text(), re.MULTILINE)}
    assert names - {"{name}"} <= set(SURVEYS)
    assert len(names) >= len(SURVEYS) - 1


def test_every_catalog_and_calibration_has_an_entry():
    for kind in set(KINDS) - {"selection", "spectra"}:
        assert entries()[Use("catalog", kind)], kind
    for path in (ROOT / "src/transtar/labels/calibrations").glob("*.yaml"):
        text = "\n".join(entries()[Use("calibration", path.stem)])
        (number,) = re.findall(r"arXiv:(\d+\.\d+)", yaml.safe_load(path.read_text())["source"])
        assert number in text


def test_paper_and_software_as_in_the_citation_file():
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (_, first, paper), (_, second, software) = parsed(cite())
    assert (first, second) == ("Zhao2026transtar", "transtar")
    assert software["title"].strip("{}") == about["title"]
    assert software["version"] == __version__
    (reference,) = about["references"]
    assert paper["title"].strip("{}").split() == reference["title"].split()
    assert f"arXiv:{paper['eprint']}" == reference["identifiers"][0]["value"]
    names = [author["family-names"].translate({ord("á"): "a", ord("ó"): "o"}) for author in reference["authors"]]
    given = re.sub(r"[{}\\']", "", paper["author"]).split(" and ")
    assert [one.split(",")[0] for one in given] == names


def test_what_has_no_entry_is_told_and_not_dropped(monkeypatch, caplog):
    wanted = [Use("survey", "mine"), Use("survey", "lamost"), Use("labels", "mine/labels.csv"), Use("survey", "mock")]
    monkeypatch.setattr(bibliography, "uses_of", lambda result: wanted)
    text = cite("somewhere")
    assert "Cui2012" in text
    for what in ("spectra of survey mine", "labels of mine/labels.csv"):
        assert f"% no citation known for {what}; add its source by hand" in text
        assert f"somewhere: no citation known for {what}; add its source by hand" in caplog.text
    assert "survey mock" not in text + caplog.text


def test_a_survey_of_another_package_says_how_it_is_cited(monkeypatch, caplog):
    from dataclasses import replace

    monkeypatch.setattr(bibliography, "uses_of", lambda result: [Use("survey", "mine")])
    monkeypatch.setattr(bibliography, "survey_names", lambda: ["mine"])
    monkeypatch.setattr(
        bibliography, "get_survey", lambda name: replace(get_survey("miles"), name=name, citation="Me 2026")
    )
    assert "% spectra of survey mine: cite Me 2026" in cite("somewhere")
