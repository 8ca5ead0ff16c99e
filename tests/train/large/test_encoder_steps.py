import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.encoder_steps import operations
from transtar.encoders.specclip import new_encoder
from transtar.train.large import Autoencoding, MaskedSegments

from .large_sets import LRS, TINY, XP, fluxes


def counted(objective, flux):
    with FlopCounterMode(display=False) as counter:
        objective({"flux": torch.from_numpy(flux)}, torch.arange(len(flux)))["loss"].backward()
    return counter.get_total_flops() / len(flux)


def first(layer, tokens=1):
    """Of the gradient of the first layer's input, which nobody needs and which is counted all the same."""
    return 2 * tokens * layer.weight.numel()


def test_the_operations_that_a_share_of_the_peak_is_made_of_are_those_that_torch_counts():
    masked = MaskedSegments(new_encoder("lrs", TINY).network)
    network, tokens = masked.network, masked.network.n_tokens
    # What torch does not count on the processor: scores and sums of attention, forwards and twice backwards.
    attention = 3 * 2 * 2 * tokens**2 * TINY.width * TINY.layers
    expected = counted(masked, fluxes(2, LRS.wavelengths.size)) + attention + first(network.embed, tokens)
    assert operations(network) == expected
    autoencoding = Autoencoding(new_encoder("xp", "small", XP).network)
    expected = counted(autoencoding, fluxes(2, 343)) + first(autoencoding.network.encode[0])
    assert operations(autoencoding.network) == expected
