"""What is packed comes back as it was, within the steps that are promised."""

import base64
import json
import zlib

import numpy as np

from transtar.report.interactive.packed import fixed, pack_stars, packed, packed_json, relative


def unpacked(text: str, steps: list[float], from_last: list[bool], n_pixels: int) -> np.ndarray:
    """The way back, value by value and without numpy's help, as a page goes it; shape (n_channels, n_pixels)."""
    raw = zlib.decompress(base64.b64decode(text))
    half = len(raw) // 2
    curves = []
    for channel, (step, summed) in enumerate(zip(steps, from_last, strict=True)):
        last, curve = 0, []
        for place in range(channel * n_pixels, (channel + 1) * n_pixels):
            coded = raw[place] | raw[half + place] << 8
            signed = coded // 2 if coded % 2 == 0 else -(coded // 2) - 1
            last = (last + signed if summed else signed) % 65536
            value = last - 65536 if last >= 32768 else last
            curve.append(np.nan if value == -32768 else value * step)
        curves.append(curve)
    return np.array(curves)


def test_curves_come_back():
    random = np.random.default_rng(0)
    flux = (1 + random.normal(0, 0.2, (3, 200))).astype(np.float32)
    flux[1] *= -1
    flux[2, ::7] = np.nan
    steep = random.normal(0, 40, (3, 200)).astype(np.float32)
    steep[0] = 0
    channels = [fixed("flux", flux, 0.002, True), fixed("same", flux, 0.002, False), relative("steep", steep, 40)]
    for star, text in enumerate(pack_stars(channels)):
        back = unpacked(text, [one.steps[star] for one in channels], [one.from_last for one in channels], 200)
        np.testing.assert_array_equal(np.isnan(back[0]), np.isnan(flux[star]))
        assert np.nanmax(np.abs(back[:2] - flux[star])) <= 0.001 + 1e-6
        assert np.abs(back[2] - steep[star]).max() <= np.abs(steep[star]).max() / 80 + 1e-6


def test_a_curve_of_great_values_gets_greater_steps():
    flux = np.array([[1e6, -1e6, 0.5]], np.float32)
    channel = fixed("flux", flux, 0.002, True)
    back = unpacked(pack_stars([channel])[0], [channel.steps[0]], [True], 3)
    np.testing.assert_allclose(back[0], flux[0], atol=1e6 / 32766)


def test_arrays_and_texts():
    values = np.array([1.5, np.nan, -2], ">f4")
    raw = zlib.decompress(base64.b64decode(packed(values)))
    np.testing.assert_array_equal(np.frombuffer(raw, "<f4"), values.astype("<f4"))
    texts = {"name": ["</script>", "Ω"]}
    assert json.loads(zlib.decompress(base64.b64decode(packed_json(texts)))) == texts
