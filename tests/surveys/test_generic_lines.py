import numpy as np
import pytest

from transtar.errors import InputError
from transtar.surveys import Stated
from transtar.surveys.generic import read_generic

ROWS = "4000 1.5\n4200 2.5\n4400 3.5\n"
VACUUM = Stated(medium="vacuum")


def read(tmp_path, text, stated=VACUUM):
    (tmp_path / "a.txt").write_text(text)
    return read_generic(tmp_path / "a.txt", stated)


@pytest.mark.parametrize("mark", ["!", "%", ";", "//"])
@pytest.mark.parametrize("rest", [" spectrum", " wave of it"])
def test_comments_of_another_kind(tmp_path, mark, rest):
    with pytest.raises(InputError, match=f"line 2 begins with '{mark}'; begin such lines with #"):
        read(tmp_path, f"# mine\n{mark}{rest}\n{ROWS}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3\n" + ROWS, "line 1, '3', has one number, the next line 2; begin such lines with #"),
        (
            "HD 1 G2V star\n" + ROWS,
            "line 1, 'HD 1 G2V star', names no columns; if it is a title, begin such lines with #",
        ),
        ("\nHD 1\n" + ROWS, "line 2 names no column of wavelengths or fluxes; columns found: HD, 1; if it is a title"),
        ("4000 ****\n" + ROWS, r"line 1: '\*\*\*\*' is a number that had no room"),
        (ROWS + "# x\n\n4600 ****\n", r"line 6: '\*\*\*\*' is a number that had no room"),
        (ROWS.replace(".", ","), "line 1: '1,5' has a decimal comma; write decimal points"),
        (ROWS.replace(".", ",").replace("4000", "4000,25"), "line 1: '4000,25' has a decimal comma"),
        ("wave;flux\n" + ROWS.replace(".", ",").replace(" ", ";"), "line 2: '1,5' has a decimal comma"),
        ("4000 1.5-101\n" + ROWS, "line 1: '1.5-101' is a number without the E"),
        ("wave flux\nAngstrom adu\n" + ROWS, r"line 2: 'Angstrom' is no number; if these are units.*wave \[nm\]"),
        ("wave flux\n" + ROWS.replace("2.5", "x"), r"could not convert 'x' to a number \(line 3\)"),
    ],
)
def test_lines_that_are_neither(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_numbers_of_fortran_are_no_names(tmp_path):
    batch = read(tmp_path, ROWS.replace(".5", ".5D0"))
    np.testing.assert_allclose(batch.flux[0], [1.5, 2.5, 3.5])
    columns = {"wave": "1", "flux": "2", "error": "3"}
    text = "".join(f"{row} 2.0D0\n" for row in ROWS.replace(".5", ".5D0").splitlines())
    batch = read(tmp_path, text, Stated(medium="vacuum", columns=columns))
    np.testing.assert_allclose(batch.ivar[0], 0.25)


def test_indef_is_missing(tmp_path):
    batch = read(tmp_path, "4000 INDEF\n" + ROWS.replace("4000", "4100").replace("2.5", "INDEF"))
    assert batch.mask[0].tolist() == [True, False, True, False]


def test_an_index_without_a_name_is_no_comment(tmp_path):
    batch = read(
        tmp_path,
        ";wave;flux\n" + "".join(f"{i};{row.replace(' ', ';')}\n" for i, row in enumerate(ROWS.split("\n")[:3])),
    )
    np.testing.assert_allclose(batch.flux[0], [1.5, 2.5, 3.5])
