"""Sampled XP spectra as VOTables, one source a file: the archive's INDIVIDUAL structure."""

from pathlib import Path

import numpy as np
from astropy.io.votable.tree import Field, Param, Resource, TableElement, VOTableFile

from transtar.simulate.native.gaia import SOLUTION_ID
from transtar.spectra import SpectrumBatch
from transtar.surveys.gaia_xp import SAMPLING_NM, SCALE


def write_individual(batch: SpectrumBatch, folder: Path) -> list[Path]:
    paths = []
    for i, identifier in enumerate(batch.ids.tolist()):
        votable = VOTableFile(version="1.4")
        resource = Resource(type="results")
        votable.resources.append(resource)
        table = TableElement(votable)
        resource.tables.append(table)
        for name, ucd, value in (
            ("source_id", "meta.id;meta.main", identifier), ("solution_id", "meta.version", SOLUTION_ID)
        ):  # fmt: skip
            table.params.append(Param(votable, name=name, datatype="long", ucd=ucd, value=str(value)))
        for name, kind, unit, ucd in (
            ("wavelength", "double", "nm", "em.wl"),
            ("flux", "float", "W.m**-2.nm**-1", "spect"),
            ("flux_error", "float", "W.m**-2.nm**-1", "stat.error;spect"),
        ):
            table.fields.append(Field(votable, name=name, datatype=kind, unit=unit, ucd=ucd))
        table.create_arrays(len(SAMPLING_NM))
        table.array["wavelength"] = SAMPLING_NM
        table.array["flux"] = np.where(batch.mask[i], np.nan, batch.flux[i] / SCALE)
        table.array["flux_error"] = np.where(batch.mask[i], np.nan, batch.ivar[i] ** -0.5 / SCALE)
        table.format = "binary2"
        paths.append(folder / f"XP_SAMPLED_Gaia_DR3_{identifier}.xml")
        votable.to_xml(str(paths[-1]))
    return paths
