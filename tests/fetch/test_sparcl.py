"""Fetching from SPARCL: order, pages, failures, the cache and what is read back."""

import csv
import json

import numpy as np
import pytest

from transtar import get_survey, stream
from transtar.errors import InputError, TranstarError
from transtar.fetch import Patience, Search, from_ids, from_positions
from transtar.fetch.ask import Ask
from transtar.fetch.cache import Pages, Record
from transtar.fetch.sparcl import to_record

from .stand_in import FIRST_ID, records


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def read(out):
    return list(stream(get_survey("sparcl"), out / "spectra"))


def ask_for(stars, order=None):
    numbers = [star["specid"] for star in stars]
    return Ask("specid", [numbers[i] for i in (order or range(len(numbers)))])


ORDER = [7, 2, 11, 0, 5, 9, 1, 3, 10, 4, 8, 6]

# For services that do not answer; others are given all the time that a busy machine may take.
HURRIED = Patience(timeout=1.0, tries=3, pause=0.0)


def test_the_order_of_the_ask_is_kept_whatever_the_service_does(serve, fetch, tmp_path):
    stars = records()
    service = serve(stars)
    report = fetch(service.address, ask_for(stars, ORDER), Search(page=5))
    assert (report.asked, report.found, report.spectra, report.fetched, report.cached) == (12, 12, 12, 12, 0)
    assert service.sizes() == [5, 5, 2]
    (batch,) = read(tmp_path / "out")
    assert batch.ids.tolist() == [FIRST_ID + i for i in ORDER]
    assert [int(row["id"]) for row in rows(tmp_path / "out/found.csv")] == batch.ids.tolist()
    assert rows(tmp_path / "out/missing.csv") == []


def test_spectra_come_back_as_they_were_served(serve, fetch, tmp_path):
    stars = records(3, seed=3)
    stars[1] |= {"redshift_warning": 4}
    stars[2] |= {"spectype": "GALAXY", "redshift": 0.3}
    fetch(serve(stars).address, ask_for(stars))
    (batch,) = read(tmp_path / "out")
    np.testing.assert_allclose(batch.wave, 3600 + 0.8 * np.arange(7781))
    for i, star in enumerate(stars):
        np.testing.assert_array_equal(batch.flux[i], np.float32(star["flux"]))
        np.testing.assert_array_equal(batch.mask[i], np.array(star["mask"]) != 0)
    assert (batch.ivar == 100).all()
    assert (batch.survey, batch.frame, batch.medium) == ("sparcl", "observed", "vacuum")
    np.testing.assert_allclose(batch.meta["velocity"], [299792.458 * stars[0]["redshift"], np.nan, np.nan])
    assert batch.meta["class"].tolist() == ["STAR", "", "GALAXY"]
    assert batch.meta["PROGRAM"].tolist() == ["bright", "backup", "bright"]
    assert batch.meta["HEALPIX"].tolist() == [1000, 1001, 1002]
    assert batch.keys == ("SURVEY", "PROGRAM", "HEALPIX")
    # 512 marks a fault of the fibre, 8 a restricted positioner, which is none.
    assert (batch.meta["survey_flags"] != 0).tolist() == [True, False, False]


def test_releases_of_other_pixels_are_padded_to_one_grid(serve, fetch, tmp_path):
    stars = records(2, sdss=3)
    stars[4]["redshift_warning"] = None
    fetch(serve(stars).address, ask_for(stars, [3, 0, 4, 1, 2]))
    desi, sdss = sorted(read(tmp_path / "out"), key=lambda batch: -len(batch.wave))
    assert desi.ids.tolist() == [FIRST_ID, FIRST_ID + 1]
    assert sdss.ids.tolist() == [FIRST_ID + 3, FIRST_ID + 4, FIRST_ID + 2]
    start = int(np.flatnonzero(~sdss.mask[0])[0])
    np.testing.assert_allclose(sdss.wave[start], stars[3]["wavelength"][0], rtol=1e-7)
    np.testing.assert_array_equal(sdss.flux[0, start : start + 3800], np.float32(stars[3]["flux"]))
    assert sdss.mask[0].sum() == len(sdss.wave) - 3800 + 1
    assert set(sdss.meta["SURVEY"]) == {""}
    assert sdss.meta["star"].tolist() == [f"SDSS {FIRST_ID + i}" for i in (3, 4, 2)]
    assert np.isfinite(sdss.meta["velocity"]).all()


def test_a_second_run_needs_no_service(serve, fetch, tmp_path):
    stars = records()
    service = serve(stars)
    asked = Ask("specid", [*ask_for(stars).values, 77])
    first = fetch(service.address, asked, Search(page=5))
    before = (tmp_path / "out/found.csv").read_text()
    service.close()
    second = fetch(service.address, asked, Search(page=5), out=tmp_path / "again")
    assert (first.fetched, second.fetched, second.cached, second.questions) == (12, 0, 12, 0)
    assert [missing[0] for missing in second.missing] == ["77"]
    assert (tmp_path / "again/found.csv").read_text() == before.replace("fetched", "cached")
    assert [file.name for file in (tmp_path / "again/spectra").glob("[!.]*")] == ["sparcl-00000.parquet"]
    service.server.server_close()


def test_an_interrupted_run_asks_only_for_what_is_missing(serve, fetch, tmp_path):
    stars = records()
    service = serve(stars)

    def interrupt(n):
        if service.count("/api/spectras/") == 3:
            service.trouble = ["503"] * 9

    service.after = interrupt
    with pytest.raises(TranstarError, match=r"HTTP 503.*8 of 12 spectra are in the cache"):
        fetch(service.address, ask_for(stars, ORDER), Search(page=4), patience=Patience(20.0, 1, 0.0))
    assert not (tmp_path / "out/spectra").exists()
    service.after, service.trouble = lambda n: None, []
    service.asked.clear()
    report = fetch(service.address, ask_for(stars, ORDER), Search(page=4))
    assert (report.cached, report.fetched) == (8, 4)
    assert service.sizes() == [4]
    assert read(tmp_path / "out")[0].ids.tolist() == [FIRST_ID + i for i in ORDER]


def test_control_c_leaves_whole_pages_only(serve, fetch, tmp_path):
    stars = records()
    service = serve(stars)
    ids = ask_for(stars)

    def stop(line):
        raise KeyboardInterrupt

    service.trouble = [""] * 5 + ["503"]
    with pytest.raises(KeyboardInterrupt):
        fetch(service.address, ids, Search(page=6), lines=type("Stop", (), {"append": staticmethod(stop)})())
    assert len(list((tmp_path / "cache").rglob("page-*.parquet"))) == 1
    assert not list((tmp_path / "cache").rglob(".page-*"))
    report = fetch(service.address, ids, Search(page=6))
    assert (report.cached, report.fetched) == (6, 6)


@pytest.mark.parametrize("trouble", ["503 Retry-After: 0", "500", "429", "slow", "cut", "garbage", "reset"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_passing_failure_is_retried(serve, fetch, tmp_path, trouble, zipped):
    stars = records(2)
    service = serve(stars, zipped=zipped, trouble=["", "", trouble, "", trouble], pause=3.0)
    lines = []
    report = fetch(service.address, ask_for(stars), lines=lines, patience=HURRIED if trouble == "slow" else None)
    assert report.fetched == 2
    assert len(lines) == 2
    assert all("\n" not in line for line in lines)


def test_the_service_may_ask_for_a_pause(serve, fetch):
    stars = records(1)
    service = serve(stars, trouble=["", "", "503 Retry-After: 1"])
    lines = []
    fetch(service.address, ask_for(stars), lines=lines)
    assert "in 1.0 s" in lines[0]
    service.trouble = ["503 Retry-After: 7200"]
    with pytest.raises(TranstarError, match="asks to come back in 7200 s"):
        fetch(service.address, ask_for(stars), refresh=True)


def test_pages_that_time_out_are_halved_and_grow_again(serve, fetch, tmp_path, monkeypatch):
    stars = records()
    monkeypatch.setattr("transtar.fetch.sparcl.GROW_AFTER", 2)
    service = serve(stars, slow_above=3, pause=3.0)
    report = fetch(service.address, ask_for(stars, ORDER), Search(page=12), patience=HURRIED)
    assert report.fetched == 12
    # Two tries of the first page, one of each that is too large again.
    assert service.sizes() == [12, 12, 6, 3, 3, 6, 3, 3]
    assert read(tmp_path / "out")[0].ids.tolist() == [FIRST_ID + i for i in ORDER]


def test_pages_over_the_limit_of_the_service_are_halved(serve, fetch):
    stars = records()
    service = serve(stars, most=4)
    assert fetch(service.address, ask_for(stars), Search(page=10)).fetched == 12


def test_one_bad_record_never_ends_the_run(serve, fetch, tmp_path):
    stars = records()
    stars[1]["flux"] = stars[1]["flux"][:-1]
    stars[2]["wavelength"] = [0.0] * len(stars[2]["wavelength"])
    names = [star["sparcl_id"] for star in stars]
    service = serve(stars, slow_ids={names[4]}, refuse={names[6]}, drop={names[8]}, drop_once={names[9]}, pause=3.0)
    report = fetch(service.address, ask_for(stars), Search(page=4), patience=HURRIED)
    assert report.fetched == 7
    why = {row["sparcl_id"]: row["why"] for row in rows(tmp_path / "out/missing.csv")}
    assert list(why) == [names[i] for i in (1, 2, 4, 6, 8)]
    assert "flux has 7780 pixels, the wavelengths 7781" in why[names[1]]
    assert "wavelengths must be finite and positive" in why[names[2]]
    assert "no answer within 1 s" in why[names[4]]
    assert "cannot read a file" in why[names[6]]
    assert "asked twice" in why[names[8]]
    # What failed for now is asked for again, what the service does not have is not, unless --refresh says so.
    service.slow_ids, service.refuse, service.drop = set(), set(), set()
    service.asked.clear()
    assert fetch(service.address, ask_for(stars), Search(page=4)).fetched == 2
    assert service.sizes() == [2]
    assert fetch(service.address, ask_for(stars), Search(page=4), refresh=True).fetched == 1


def test_a_service_that_fails_for_everything_ends_the_run(serve, fetch):
    stars = records(6)
    service = serve(stars, refuse={star["sparcl_id"] for star in stars})
    with pytest.raises(TranstarError, match=r"cannot read a file.*0 of 6 spectra are in the cache"):
        fetch(service.address, ask_for(stars))


def test_identifiers_are_exact(serve, fetch, tmp_path):
    stars = records(3)
    stars[2]["specid"] = stars[2]["targetid"] = -5970393627659841536
    fetch(serve(stars).address, from_ids([str(2**62 + 1), str(2**62 + 2), str(2**64 - 5970393627659841536)]))
    assert read(tmp_path / "out")[0].ids.tolist() == [2**62 + 1, 2**62 + 2, -5970393627659841536]


def test_identifiers_that_lost_digits_are_refused():
    star = records(1)[0]
    with pytest.raises(InputError, match="floating point, which loses digits"):
        to_record({**star, "specid": float(FIRST_ID)})


def test_another_server_release_or_list_of_fields_has_a_cache_of_its_own(serve, fetch, tmp_path):
    first, second = serve(records(2, seed=1)), serve(records(2, seed=2))
    for service in (first, second):
        assert fetch(service.address, ask_for(records(2))).fetched == 2
    abouts = [json.loads(path.read_text()) for path in (tmp_path / "cache").glob("*/about.json")]
    assert {about["service"] for about in abouts} == {first.address, second.address}
    assert fetch(first.address, ask_for(records(2))).cached == 2


def test_a_damaged_cache_is_fetched_again(serve, fetch, tmp_path):
    stars = records(2)
    service = serve(stars)
    fetch(service.address, ask_for(stars))
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file() and path.name != "about.json":
            path.write_bytes(path.read_bytes()[:100])
    assert fetch(service.address, ask_for(stars)).fetched == 2


def test_an_answer_with_another_letter_is_asked_for_again(serve, fetch, tmp_path):
    """Still JSON, and still of the right form: only a checksum tells."""
    stars = records(2)
    service = serve(stars)
    fetch(service.address, ask_for(stars))
    kept = {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*.json") if path.name != "about.json"}
    assert kept
    assert fetch(service.address, ask_for(stars)).questions == 0
    for path, content in kept.items():
        for old in (b"answer", b"sparcl_id"):
            assert old in content
            path.write_bytes(content.replace(old, bytes([old[0] ^ 2, *old[1:]])))
            report = fetch(service.address, ask_for(stars))
            assert report.questions > 0
            assert report.spectra == 2
            assert path.read_bytes() == content


def test_what_is_said_to_be_absent_has_a_checksum(tmp_path):
    Pages(tmp_path).add({}, {"one": "not delivered", "two": "not delivered"})
    assert Pages(tmp_path).absent == {"one": "not delivered", "two": "not delivered"}
    path = tmp_path / "absent.json"
    for text in (path.read_text().replace("two", "twn"), '{"three": "not delivered"}', "[]"):
        path.write_text(text)
        assert Pages(tmp_path).absent == {}


def test_pickles_are_read_only_where_allowed_and_never_run_anything(serve, fetch, tmp_path, monkeypatch):
    stars = records(2)
    service = serve(stars, only_pickle=True)
    with pytest.raises(TranstarError, match=r"pickle although JSON was asked for.*--allow-pickle"):
        fetch(service.address, ask_for(stars[:1]))
    assert fetch(service.address, ask_for(stars), allow_pickle=True).fetched == 2
    (batch,) = read(tmp_path / "out")
    np.testing.assert_array_equal(batch.flux[0], np.float32(stars[0]["flux"]))
    assert {query["format"] for path, query, _ in service.asked if path == "/api/spectras/"} == {"json", "pkl"}

    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'owned')!r}, 'w')",))

    monkeypatch.setattr("tests.fetch.stand_in.as_numpy", lambda record: {**record, "x": Evil()})
    with pytest.raises(TranstarError, match=r"wants builtins\.exec"):
        fetch(service.address, ask_for(stars[:1]), allow_pickle=True, cache=tmp_path / "other")
    assert not (tmp_path / "owned").exists()


def test_positions_take_the_nearest_within_the_radius_across_ra_zero(serve, fetch, tmp_path):
    stars = records(4)
    for star, ra in zip(stars, (359.9999, 0.0001, 0.0003, 180.0), strict=True):
        star |= {"ra": ra, "dec": 0.0}
    service = serve(stars)
    report = fetch(service.address, from_positions([(0.0, 0.0), (180.0, 0.0001), (90.0, 0.0)]), Search(radius=1.0))
    assert (report.asked, report.found, report.spectra) == (3, 2, 3)
    found = rows(tmp_path / "out/found.csv")
    assert {row["sparcl_id"] for row in found[:2]} == {stars[0]["sparcl_id"], stars[1]["sparcl_id"]}
    assert [row["asked"] for row in found] == ["0.0000000 +0.0000000"] * 2 + ["180.0000000 +0.0001000"]
    assert [float(row["separation"]) for row in found] == pytest.approx([0.36] * 3, abs=1e-3)
    assert report.missing == [("90.0000000 +0.0000000", "", "no such record in the service")]


def test_a_release_is_searched_in_parts_when_one_answer_is_too_small(serve, fetch, monkeypatch):
    monkeypatch.setattr("transtar.fetch.find.MOST_RECORDS", 4)
    stars = records(10, sdss=2)
    service = serve(stars)
    report = fetch(service.address, None, Search(releases=("DESI-DR1",), spectype=("STAR",)))
    assert (report.asked, report.spectra) == (10, 10)
    assert fetch(service.address, None, Search(releases=("DESI-DR1",), limit=3)).spectra == 3
    assert fetch(service.address, None, Search(releases=("DESI-DR1",), limit=7)).spectra == 7
    with pytest.raises(InputError, match=r"no release DESI-DR9 in SPARCL; it has DESI-DR1, SDSS-DR16"):
        fetch(service.address, None, Search(releases=("DESI-DR9",), limit=3))


def test_repeats_of_one_target_are_all_fetched_or_those_of_the_key(serve, fetch, tmp_path):
    stars = records(4)
    for star, survey in zip(stars, ("main", "sv3", "main", "sv1"), strict=True):
        star |= {"targetid": 2**62 + 1, "survey": survey, "specprimary": int(survey == "sv1")}
    service = serve(stars)
    every = Ask("targetid", [2**62 + 1])
    assert fetch(service.address, every).spectra == 4
    assert fetch(service.address, every, Search(primary=True)).spectra == 1
    keys = Ask("targetid", [2**62 + 1] * 3, {"SURVEY": ["sv3", "main", "sv2"]})
    report = fetch(service.address, keys)
    assert (report.asked, report.found, report.spectra) == (3, 2, 3)
    assert [row["SURVEY"] for row in rows(tmp_path / "out/found.csv")] == ["sv3", "main", "main"]
    assert report.missing == [(str(2**62 + 1), "", "has spectra, but none of SURVEY sv2 (one of main)")]


def test_a_page_of_the_cache_that_holds_something_else_is_told(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    record = Record({"specid": 1}, np.arange(3.0), np.ones(3, np.float32), None, np.zeros(3, bool))
    Pages(tmp_path).add({"a": record}, {})
    (path,) = tmp_path.glob("page-*.parquet")
    assert list(Pages(tmp_path)) == ["a"]
    assert Pages(tmp_path).read("a").fields == {"specid": 1}
    table = pq.read_table(path)
    for name, cell in (
        ("fields", "{"), ("fields", "[]"), ("wave", None), ("wave", [1.0, 2.0]), ("flux", [1.0, None, 2.0]), ("mask", "text"),
    ):  # fmt: skip
        place = table.column_names.index(name)
        pq.write_table(table.set_column(place, name, pa.array([cell])), path)
        with pytest.raises(InputError, match=r"damaged .*; delete it and run again") as told:
            Pages(tmp_path).read("a")
        assert str(path) in str(told.value)
    pq.write_table(table.drop_columns(["mask"]), path)
    with pytest.raises(InputError, match=r"damaged .*mask"):
        Pages(tmp_path).read("a")
