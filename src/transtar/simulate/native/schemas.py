"""Columns of the DESI tables: names, formats and units as in genuine files.

FIBERMAP, EXP_FIBERMAP, SCORES and REDSHIFTS as desispec 0.71 and redrock 0.20 write them; RVTAB, SPTAB and GAIA as
the data model of the Milky Way Survey's DR1 catalogs tells (https://desi-mws-dr1-datamodel.readthedocs.io). Of the
152 columns of the genuine GAIA table only those that a mock star has a value for are there.
"""

from __future__ import annotations

from .fits_blocks import Column, parse_columns

FIBERMAP = parse_columns("""
TARGETID K
COADD_FIBERSTATUS J
TARGET_RA D deg
TARGET_DEC D deg
DESINAME 22A
PMRA E mas yr-1
PMDEC E mas yr-1
REF_EPOCH E yr
FA_TARGET K
FA_TYPE B
OBJTYPE 3A
SUBPRIORITY D
OBSCONDITIONS J
RELEASE I
BRICKNAME 8A
BRICKID J
BRICK_OBJID J
MORPHTYPE 4A
EBV E mag
FLUX_G E nanomaggy
FLUX_R E nanomaggy
FLUX_Z E nanomaggy
FLUX_W1 E nanomaggy
FLUX_W2 E nanomaggy
FLUX_IVAR_G E nanomaggy^-2
FLUX_IVAR_R E nanomaggy^-2
FLUX_IVAR_Z E nanomaggy^-2
FLUX_IVAR_W1 E nanomaggy^-2
FLUX_IVAR_W2 E nanomaggy^-2
FIBERFLUX_G E nanomaggy
FIBERFLUX_R E nanomaggy
FIBERFLUX_Z E nanomaggy
FIBERTOTFLUX_G E nanomaggy
FIBERTOTFLUX_R E nanomaggy
FIBERTOTFLUX_Z E nanomaggy
MASKBITS I
SERSIC E
SHAPE_R E arcsec
SHAPE_E1 E
SHAPE_E2 E
REF_ID K
REF_CAT 2A
GAIA_PHOT_G_MEAN_MAG E mag
GAIA_PHOT_BP_MEAN_MAG E mag
GAIA_PHOT_RP_MEAN_MAG E mag
PARALLAX E mas
PHOTSYS 1A
PRIORITY_INIT K
NUMOBS_INIT K
DESI_TARGET K
BGS_TARGET K
MWS_TARGET K
SCND_TARGET K
PLATE_RA D deg
PLATE_DEC D deg
COADD_NUMEXP I
COADD_EXPTIME E s
COADD_NUMNIGHT I
COADD_NUMTILE I
MEAN_DELTA_X E mm
RMS_DELTA_X E mm
MEAN_DELTA_Y E mm
RMS_DELTA_Y E mm
MEAN_PSF_TO_FIBER_SPECFLUX E
MEAN_FIBER_RA D deg
STD_FIBER_RA E deg
MEAN_FIBER_DEC D deg
STD_FIBER_DEC E deg
MIN_MJD D d
MAX_MJD D d
MEAN_MJD D d
""")

EXP_FIBERMAP = parse_columns("""
TARGETID K
PRIORITY J
SUBPRIORITY D
NIGHT J
EXPID J
MJD D d
TILEID J
EXPTIME D s
PETAL_LOC I
DEVICE_LOC J
LOCATION K
FIBER J
FIBERSTATUS J
FIBERASSIGN_X E mm
FIBERASSIGN_Y E mm
LAMBDA_REF E Angstrom
PLATE_RA D deg
PLATE_DEC D deg
NUM_ITER K
FIBER_X D mm
FIBER_Y D mm
DELTA_X D mm
DELTA_Y D mm
FIBER_RA D deg
FIBER_DEC D deg
PSF_TO_FIBER_SPECFLUX D
IN_COADD_B L
IN_COADD_R L
IN_COADD_Z L
""")

ARMS = ("B", "R", "Z")

_TSNR2 = tuple(
    Column(f"TSNR2_{target}{arm and '_'}{arm}", "E")
    for arm in (*ARMS, "")
    for target in ("BGS", "ELG", "GPBBACKUP", "GPBBRIGHT", "GPBDARK", "LRG", "LYA", "QSO")
)

SCORES = (
    Column("TARGETID", "K"),
    *(
        Column(f"{kind}_{arm}", "E")
        for arm in ARMS
        for kind in ("INTEG_COADD_FLUX", "MEDIAN_COADD_FLUX", "MEDIAN_COADD_SNR")
    ),
    *_TSNR2,
)

TSNR2 = (Column("TARGETID", "K"), *_TSNR2)

REDSHIFTS = parse_columns("""
TARGETID K
Z D
ZERR D
ZWARN K
CHI2 D
COEFF 10D
FITMETHOD 4A
NPIXELS K
SPECTYPE 6A
SUBTYPE 20A
NCOEFF K
DELTACHI2 D
""")

RVTAB = parse_columns("""
VRAD D km s-1 # Radial velocity
VRAD_ERR D km s-1 # Radial velocity error
VRAD_SKEW D # Radial velocity posterior skewness
VRAD_KURT D # Radial velocity posterior kurtosis
LOGG D # Log of surface gravity
TEFF D K # Effective temperature
ALPHAFE D # [alpha/Fe] from template fitting
FEH D # [Fe/H] from template fitting
LOGG_ERR D # Log of surface gravity uncertainty
TEFF_ERR D K # Effective temperature uncertainty
ALPHAFE_ERR D # [alpha/Fe] uncertainty
FEH_ERR D # [Fe/H] uncertainty
VSINI D km s-1 # Stellar rotation velocity
CHISQ_TOT D
CHISQ_C_TOT D
CHISQ_B D
CHISQ_C_B D
CHISQ_R D
CHISQ_C_R D
CHISQ_Z D
CHISQ_C_Z D
RVS_WARN K # RVSpecFit warning flag
REF_ID K # Gaia DR2 source id
REF_CAT 2A
TARGET_RA D deg
TARGET_DEC D deg
TARGETID K # Unique DESI target ID
SN_B E # Median S/N in the B arm
SN_R E # Median S/N in the R arm
SN_Z E # Median S/N in the Z arm
SUCCESS L # Did we succeed or fail
HEALPIX K # nside 64, nested
RR_Z D # Redrock redshift
RR_SPECTYPE 6A # Redrock spectroscopic type
SURVEY 7A
PROGRAM 6A
PRIMARY L # Primary observation of the source
""")

SPTAB = parse_columns("""
SUCCESS K # Whether the code has likely produced useful results
TARGETID K # Unique DESI target ID
TARGET_RA D deg
TARGET_DEC D deg
REF_ID K # Gaia DR2 source id
REF_CAT 2A
SRCFILE 24A # DESI data file
BESTGRID 8A # Model grid that produced the best fit
TEFF D K # Effective temperature
LOGG D # Surface gravity
FEH D # [Fe/H]
ALPHAFE D # [alpha/Fe]
LOG10MICRO D # Log10 of microturbulence (km/s)
PARAM 5D # [Fe/H], [a/Fe], log10micro, Teff, logg
COVAR 5x5D # Covariance matrix for PARAM
ELEM 4D # Elemental abundance ratios to hydrogen
ELEM_ERR 4D # Their uncertainties
CHISQ_TOT D
SNR_MED D # Median signal-to-noise ratio
RV_ADOP D km s-1 # Adopted radial velocity
RV_ERR D km s-1 # Its uncertainty
HEALPIX K # nside 64, nested
""")

GAIA = parse_columns("""
SOLUTION_ID K
DESIGNATION 28A
SOURCE_ID K
RANDOM_INDEX K
REF_EPOCH D yr
RA D deg
DEC D deg
PARALLAX D mas
PARALLAX_ERROR E mas
PMRA D mas yr-1
PMRA_ERROR E mas yr-1
PMDEC D mas yr-1
PMDEC_ERROR E mas yr-1
RUWE E
PHOT_G_MEAN_MAG E mag
PHOT_BP_MEAN_MAG E mag
PHOT_RP_MEAN_MAG E mag
BP_RP E mag
RADIAL_VELOCITY E km s-1
RADIAL_VELOCITY_ERROR E km s-1
HAS_XP_CONTINUOUS L
HAS_XP_SAMPLED L
EBV E mag
""")
