from transtar.report.losses_figure import draw_losses

ROWS = [
    {"step": 0, "train_loss": None, "validation_loss": 2.0, "learning_rate": 0.0},
    {"step": 5, "train_loss": 1.5, "validation_loss": 1.0, "learning_rate": 1e-3},
    {"step": 10, "train_loss": 0.5, "validation_loss": 0.75, "learning_rate": 5e-4},
]


def test_losses_and_learning_rate_over_steps():
    figure = draw_losses(ROWS)
    above, below = figure.axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in above.get_lines()}
    assert lines == {"training": [[5, 1.5], [10, 0.5]], "validation": [[0, 2], [5, 1], [10, 0.75]]}
    assert above.get_yscale() == "log"
    assert below.get_lines()[0].get_ydata().tolist() == [0, 1e-3, 5e-4]


def test_without_validation_spectra_there_is_one_line():
    (above, _) = draw_losses([row | {"validation_loss": None} for row in ROWS]).axes
    assert [line.get_label() for line in above.get_lines()] == ["training"]
