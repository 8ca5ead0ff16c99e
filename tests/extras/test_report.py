"""The extra `report`: a page to look into a catalog, by Bokeh."""

from transtar.report.interactive import report_catalog

from ..report.interactive.made_survey import made_survey


def test_a_page_is_written(tmp_path):
    catalog, data, labels = made_survey(tmp_path, 50, 20)
    seen = report_catalog(catalog, tmp_path / "page.html", data=data, labels=labels, models=["mock-feh"])
    assert len(seen.spectra.rows) == 20
    assert (tmp_path / "page.html").stat().st_size > 3e5
