"""A mock universe of some hundred stars: what is written fits together, and is taken up again after an interruption."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from transtar.errors import InputError, MismatchError, SettingsError, TranstarError
from transtar.files import read_json
from transtar.labels import read_labels
from transtar.seal import sealed
from transtar.simulate.instruments.instrument import SignalToNoise
from transtar.simulate.instruments.observe import observe
from transtar.simulate.stars.truth import spectrum_labels
from transtar.simulate.universe import spectrum_groups, universe
from transtar.simulate.universe.universe import simulate_universe
from transtar.simulate.universe.universe_record import open_record
from transtar.simulate.universe.universe_settings import KNOWN, universe_settings
from transtar.surveys import get_survey, read, stream

CHANGES = {"lamost": 40, "common": 30, "edr": 60, "miles": 12, "faults": 2, "overlap": 3, "xp_continuous": 3,
           "desi_right_ascension": [150, 152], "desi_declination": [30, 31.5],
           "clusters": 2, "cluster_members": 4, "wide_pairs": 3}  # fmt: skip
SETTINGS = universe_settings("small", 7, CHANGES)


@pytest.fixture(scope="module")
def plan():
    return universe._plan(SETTINGS)


@pytest.fixture(scope="module")
def world(tmp_path_factory, plan):
    folder = tmp_path_factory.mktemp("universe") / "u"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(universe, "_plan", lambda settings: plan)
        said = []
        record = simulate_universe(folder, SETTINGS, workers=1, say=said.append)
    return folder, record, said


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def truth(folder: Path) -> Table:
    table = pq.read_table(folder / "truth.parquet")
    return Table({name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names})


def coadds(folder: Path) -> list[Path]:
    return sorted((folder / "desi" / "healpix").rglob("coadd-*.fits"))


def test_lists_of_clusters_and_pairs_lead_to_spectra_of_one_birth(world, plan):
    folder, *_ = world
    stars = truth(folder)
    ids = {int(number) for path in coadds(folder) for number in fits.getdata(path, "FIBERMAP")["TARGETID"]}
    with (folder / "clusters.csv").open(newline="") as file:
        members = list(csv.DictReader(file))
    assert {int(row["TARGETID"]) for row in members} <= ids
    by_source = {int(star["source_id"]): star for star in stars}
    for row in members:
        star = by_source[int(row["source_id"])]
        assert (star["cluster"], star["feh"], star["alphafe"]) == (
            row["cluster"],
            float(row["feh"]),
            float(row["alphafe"]),
        )
    with (folder / "pairs.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    assert len(pairs) == 3
    for number, row in enumerate(pairs, 1):
        one, other = (by_source[int(row[f"source_id_{side}"])] for side in (1, 2))
        assert one["pair"] == other["pair"] == number
        assert (one["feh"], one["alphafe"], one["mg_fe"]) == (other["feh"], other["alphafe"], other["mg_fe"])
        assert {int(row["TARGETID_1"]), int(row["TARGETID_2"])} <= ids
    single = ~np.isin(stars["role"].astype(str), ("cluster", "pair"))
    assert (stars["pair"][single] == 0).all()
    assert (stars["cluster"][single] == "").all()


def test_parts_and_counts_are_those_of_the_plan(world, plan):
    folder, record, said = world
    assert sealed(record) == read_json(folder / "universe.json")
    assert record["complete"] == "all"
    assert any("poor stars are oversampled" in line for line in said)
    assert any("to write" in line for line in said)
    rows = {name: part["rows"] for name, part in record["parts"].items()}
    assert rows == {
        "truth.parquet": len(plan.stars),
        "lamost/labels.csv": len(plan.lamost),
        "lamost/spectra": len(plan.lamost),
        "miles/labels.csv": 12,
        "miles/split.csv": 12,
        "miles/spectra": 12,
        "apogee/allStar-dr17-synspec_rev1.fits": len(plan.apogee),
        "compilations": len(plan.compilation),
        "clusters.csv": 8,
        "pairs.csv": 3,
        "desi/mwsall-pix-fuji.fits": plan.desi["in_edr"].sum(),
        "desi/mwsall-pix-iron.fits": plan.desi["in_dr1"].sum(),
        "desi/healpix": len(plan.desi),
        "gaia/sampled": len(plan.xp),
        "gaia/continuous": 3,
    }
    on_disk = content(folder)
    del on_disk["universe.json"]
    assert sum(part["files"] for part in record["parts"].values()) == len(on_disk)
    assert sum(part["bytes"] for part in record["parts"].values()) == sum(len(data) for data in on_disk.values())
    assert not [name for name in on_disk if Path(name).name.startswith(".")]
    # The estimate is made before a file is written.
    assert plan.size(xp_continuous=3) == pytest.approx(sum(len(data) for data in on_disk.values()), rel=0.1)


def test_gaia_identifiers_join_all_files(world, plan):
    folder, _, _ = world
    stars = truth(folder)
    ids = stars["source_id"]
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, plan.stars["source_id"])

    with (folder / "lamost/labels.csv").open() as file:
        lamost = {int(row["gaia_source_id"] or 0) for row in csv.DictReader(file)} - {0}
    assert lamost <= set(ids[stars["in_lamost"]].tolist())
    assert len(lamost) == stars["in_lamost"].sum() - 2  # the two of fault no_match
    with (folder / "miles/labels.csv").open() as file:
        assert {int(row["gaia_source_id"]) for row in csv.DictReader(file)} == set(ids[stars["in_miles"]].tolist())
    apogee = Table.read(folder / "apogee/allStar-dr17-synspec_rev1.fits", hdu=1)["GAIAEDR3_SOURCE_ID"]
    assert set(apogee.tolist()) - {0} <= set(ids[stars["in_apogee"]].tolist())
    for release, name in (("edr", "fuji"), ("dr1", "iron")):
        gaia = Table.read(folder / f"desi/mwsall-pix-{name}.fits", hdu="GAIA")["SOURCE_ID"]
        assert set(gaia.tolist()) - {0} <= set(ids[stars[f"in_{release}"]].tolist())
        assert len(set(gaia.tolist())) > 20
    for form in ("sampled", "continuous"):
        xp = read(get_survey("gaia-xp"), folder / f"gaia/{form}/XP_{form.upper()}_RAW-000.fits")
        assert set(xp.ids.tolist()) <= set(ids[stars["in_xp"]].tolist())
        assert np.isfinite(xp.flux).all()
    with (folder / "compilations/pastel.csv").open() as file:
        poor = {int(row["gaia_source_id"]) for row in csv.DictReader(file)}
    assert poor == set(ids[stars["in_compilations"]].tolist())
    assert (stars["in_lamost"] & stars["in_dr1"]).sum() == 3  # the overlap of pre-training and test stars


def test_targets_and_signal_to_noise_of_coadds_are_those_of_the_catalogs(world):
    folder, _, _ = world
    rows = {}
    for name in ("fuji", "iron"):
        with fits.open(folder / f"desi/mwsall-pix-{name}.fits") as hdus:
            for one, score in zip(hdus["RVTAB"].data, hdus["SCORES"].data, strict=True):
                key = (int(one["TARGETID"]), one["SURVEY"], one["PROGRAM"], int(one["HEALPIX"]))
                rows[key] = [score[f"MEDIAN_COADD_SNR_{arm}"] for arm in "BRZ"]
                assert rows[key] == [one[f"SN_{arm}"] for arm in "BRZ"]
    seen, ratios = [], []
    for path in coadds(folder):
        with fits.open(path) as hdus:
            assert not [hdu.name for hdu in hdus if "RESOLUTION" in hdu.name]
            header = hdus[0].header
            names = (header["SURVEY"], header["PROGRAM"], header["HPXPIXEL"])
            for i, (target, score) in enumerate(
                zip(hdus["FIBERMAP"].data["TARGETID"], hdus["SCORES"].data, strict=True)
            ):
                seen.append((int(target), *names))
                spoilt = (hdus["B_MASK"].data[i] != 0).mean() > 0.15
                for arm, wanted in zip("BRZ", rows[seen[-1]], strict=True):
                    found = score[f"MEDIAN_COADD_SNR_{arm}"]
                    if wanted == 0 or target < 0:
                        assert found == wanted == 0
                    elif not (spoilt and arm == "B"):
                        ratios.append((found - wanted) / np.hypot(0.3, 0.03 * wanted))
    assert sorted(seen) == sorted(rows)
    assert np.abs(ratios).max() < 4
    assert np.std(ratios) < 1


def test_spectra_are_read_back_and_show_the_truth(world):
    folder, _, _ = world
    for survey, labels in (("lamost", "lamost/labels.csv"), ("miles", "miles/labels.csv")):
        table = read_labels(folder / labels)
        found = [
            (str(name), flux)
            for batch in stream(get_survey(survey), folder / survey / "spectra")
            for name, flux in zip(batch.meta["file"], batch.flux, strict=True)
        ]
        assert sorted(name for name, _ in found) == sorted(table["file"].tolist())
        assert all(np.isfinite(flux).all() for _, flux in found)
    with (folder / "miles/split.csv").open() as file:
        split = list(csv.DictReader(file))
    assert {row["split"] for row in split} == {"pool", "test"}
    assert {row["file"] for row in split} <= set(table["file"].tolist())


def test_stars_beyond_the_emulator_are_marked(world, plan, emulator):
    stars = truth(world[0])
    wanted = spectrum_labels(stars)
    np.testing.assert_array_equal(wanted, spectrum_labels(plan.stars))
    made = np.stack([stars[f"spectrum_{name}"] for name in emulator.label_names], axis=1)
    assert emulator.inside(made).all()
    np.testing.assert_array_equal(stars["outside"], ~emulator.inside(wanted))
    assert 0 < stars["outside"].sum() < len(stars) / 3
    for row in np.flatnonzero(stars["outside"])[:20]:
        names = str(stars["moved"][row]).split(",")
        differs = ~np.isclose(made[row], wanted[row], rtol=1e-6, atol=1e-6)
        assert names == [name for name, d in zip(emulator.label_names, differs, strict=True) if d]
    assert (stars["moved"][~stars["outside"]] == "").all()
    np.testing.assert_array_equal(made[~stars["outside"]], wanted[~stars["outside"]])
    field = pq.read_schema(world[0] / "truth.parquet").field("teff")
    assert field.metadata[b"unit"] == b"K"


def test_interrupted_and_taken_up_by_other_workers_it_is_the_same(world, plan, tmp_path, monkeypatch):
    """The catalogs alone first; then an interruption after the second group; then two processes."""
    monkeypatch.setattr(universe, "_plan", lambda settings: plan)
    folder = tmp_path / "u"
    said = []
    record = simulate_universe(folder, SETTINGS, catalogs_only=True)
    assert record["complete"] == "catalogs"
    assert not list(folder.rglob("*.gz"))
    assert not coadds(folder)
    done = []

    def interrupted(group):
        if len(done) == 2:
            (folder / "desi" / "healpix" / "main" / ".transtar-tmp-abcdefgh").mkdir(parents=True)
            (folder / "desi" / "healpix" / "main" / ".transtar-tmp-abcdefgh" / "half.fits").write_text("half")
            (folder / "desi" / "healpix" / "main" / ".transtar-tmp-abcdefgh" / ".lock").touch()
            raise KeyboardInterrupt
        done.append(group.part)
        return spectrum_groups.write_group(group)

    with monkeypatch.context() as patch:
        patch.setattr(universe, "write_group", interrupted)
        with pytest.raises(KeyboardInterrupt):
            simulate_universe(folder, SETTINGS, say=said.append)
    assert "the same command resumes" in said[-1]
    assert not list(folder.rglob(".*"))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    (folder / "lamost" / ".transtar-tmp-12345678").mkdir()
    (folder / "lamost" / ".transtar-tmp-12345678" / "half.csv").write_text("half")
    (folder / "lamost" / ".transtar-tmp-12345678" / ".lock").touch()
    monkeypatch.setattr(universe, "FEW", 0)
    simulate_universe(folder, SETTINGS, workers=2)
    assert [p.name for p, when in before.items() if p.stat().st_mtime_ns != when] == ["universe.json"]
    ours, theirs = content(folder), content(world[0])
    del ours["universe.json"], theirs["universe.json"]
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    simulate_universe(folder, SETTINGS, say=said.append)
    assert said[-1] == f"{folder}: complete already"


def test_other_settings_and_other_folders_are_refused(world, tmp_path):
    folder, _, _ = world
    other = universe_settings("small", 8, {**CHANGES, "lamost": 50})
    with pytest.raises(MismatchError, match=r"other settings \(seed 7, not 8; lamost 40, not 50; lamost_apogee"):
        simulate_universe(folder, other)
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"is no mock universe \(no universe.json\); give a new folder"):
        simulate_universe(tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_killed_before_the_record_was_written_it_begins_anew(tmp_path):
    (tmp_path / ".transtar-tmp-abcdefgh").mkdir()
    (tmp_path / ".transtar-tmp-abcdefgh" / ".lock").touch()
    (tmp_path / ".transtar-tmp-abcdefgh" / "universe.json").write_text("{")
    assert open_record(tmp_path, SETTINGS)["complete"] is False
    assert not list(tmp_path.iterdir())


def cut(folder):
    path = min((folder / "lamost/spectra").rglob("*.gz"))
    path.write_bytes(path.read_bytes()[:100])


def lose(folder):
    min((folder / "lamost/spectra").rglob("*.gz")).unlink()


def edit(folder):
    (folder / "lamost/labels.csv").write_text("mine")


def lie(folder):
    path = folder / "universe.json"
    path.write_text(path.read_text().replace('"rows": ', '"rows": 1', 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            cut,
            r"not as it was made: lamost/spectra \(\d+ files of \d+ bytes, not \d+ of \d+\); move or delete what is named",
        ),
        (lose, "not as it was made: lamost/spectra"),
        (edit, r"not as it was made: lamost/labels.csv \(1 files of 4 bytes"),
        (lie, "universe.json: damaged, or changed by hand"),
    ],
)
def test_a_universe_that_is_not_as_it_was_made(world, tmp_path, change, message):
    folder = Path(shutil.copytree(world[0], tmp_path / "u"))
    open_record(folder, SETTINGS)
    change(folder)
    with pytest.raises(InputError, match=message):
        open_record(folder, SETTINGS)


def test_a_full_disk_is_told_before_anything_is_written(plan, tmp_path, monkeypatch):
    from transtar.simulate.universe import disk_space

    monkeypatch.setattr(universe, "_plan", lambda settings: plan)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(TranstarError, match=r"MB to write, 1 MB free: too little; choose a smaller scale, --catalogs"):
        simulate_universe(tmp_path / "u", SETTINGS)
    assert not (tmp_path / "u").exists()


def test_settings():
    assert SETTINGS.scale.lamost_apogee == round(5687 * 40 / 6000)
    assert SETTINGS.scale.overlap == 3
    assert universe_settings("paper").desi.declination == (-20, 85)
    assert universe_settings("small", 0, {"effects.noise": False}).effects.noise is False
    assert set(SETTINGS.to_dict()) == {"seed", *KNOWN}
    for changes, message in (
        ({"lamst": 5}, r"unknown key lamst; known keys: blanketing, clean_removed, cluster_members"),
        ({"effects.noise": "loud"}, "effects.noise must be true or false, not loud"),
        ({"lamost": -5}, "lamost must be a whole number from 0 to 10000000, not -5"),
        ({"lamost": 40, "lamost_apogee": 50}, "lamost_apogee = 50 is more than lamost = 40"),
        ({"desi_declination": [40, 30]}, "desi_declination must be a range within -90 to 90 degrees"),
        ({"desi_declination": 3}, r"desi_declination must be a range \[low, high\]"),
        ({"xp_continuous": 1.5}, "xp_continuous must be a whole number"),
        ({"resolution": 1}, "resolution must be true or false"),
        ({"blanketing": "much"}, "blanketing must be a number"),
        ({"lines": "miles"}, "lines must be null or one of lamost-dr10, not miles"),
        ({"lines": False}, "lines must be null or one of lamost-dr10, not False"),
    ):
        with pytest.raises(SettingsError, match=message):
            universe_settings("small", 0, changes)
    with pytest.raises(SettingsError, match="no scale 'huge'"):
        universe_settings("huge")


def test_lines_of_real_stars_are_a_setting_and_on(plan, tmp_path):
    """They are in the record; without them the spectra are those of the emulator, and nothing else changes."""
    assert SETTINGS.to_dict()["lines"] == "lamost-dr10"
    without = universe_settings("small", 7, {**CHANGES, "lines": None})
    assert without.to_dict() == {**SETTINGS.to_dict(), "lines": None}
    fluxes = []
    for settings in (SETTINGS, without):
        folder = tmp_path / str(settings.lines)
        spectrum_groups.write_group(spectrum_groups.group_of(plan, "miles/spectra", 0, np.arange(5), folder, settings))
        batch = next(stream(get_survey("miles"), folder / "miles/spectra"))
        fluxes.append(batch.flux)
    lines = (batch.wave > 4000) & (batch.wave < 5595)
    apart = (batch.wave < 3980) | (batch.wave > 5620)
    real, synthetic = fluxes
    np.testing.assert_allclose(real[:, apart], synthetic[:, apart], rtol=0.005)
    assert np.std(real[:, lines] / synthetic[:, lines]) > 0.01


def test_smooth_blanketing_has_no_say_in_the_blue_grid_of_desi(plan):
    """The S/N is set over the whole arm, yet by its median: what no line is known of must not move it."""
    rows = plan.desi[:60]
    model = spectrum_groups._models(rows)
    assert isinstance(spectrum_groups.DESI_ARMS.snr, SignalToNoise)
    one, other = (
        observe(spectrum_groups.DESI_ARMS, model, rows, snr=np.asarray(rows["snr_b"]), blanketing=factor)
        for factor in (1.0, 1.2)
    )
    grid = (one.wave > 4000) & (one.wave < 5600)
    good = ~one.mask[:, grid]
    change = np.abs(one.flux - other.flux)[:, grid] * np.sqrt(one.ivar[:, grid])
    assert change[good].max() < 0.05  # of the noise
    assert np.median(change.max(axis=1)) < 1e-3


def test_resolution_on_request(plan, tmp_path):
    settings = universe_settings("small", 7, {**CHANGES, "resolution": True})
    group = spectrum_groups.group_of(plan, "desi/healpix", 0, np.arange(2), tmp_path, settings)
    written = spectrum_groups.write_group(group)
    assert written["rows"] == 2
    with fits.open(coadds(tmp_path)[0]) as hdus:
        rows = len(hdus["FIBERMAP"].data)
        assert hdus["B_RESOLUTION"].shape == (rows, 11, 2751)
        # Full width at half maximum of a line at 5000 A: R = 2764 with the pixel in.
        weights = hdus["B_RESOLUTION"].data[0][:, 1750]
        offset = 0.8 * np.arange(5, -6, -1)
        sigma = np.sqrt((weights * offset**2).sum())
        assert 2.3548 * sigma == pytest.approx(5000 / (2000 + 1200 * 1400 / 2200), rel=0.02)
