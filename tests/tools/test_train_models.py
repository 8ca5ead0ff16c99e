import numpy as np

from tools.train_models import write_models
from transtar.models import load_estimator, named

from ..models.examples import flux, small_estimator


def test_the_network_is_written_once_and_each_label_has_a_folder(tmp_path, monkeypatch):
    model = small_estimator(label_error=np.array([0.1, 90.0]))
    folders = write_models(model, tmp_path)
    assert [str(folder.relative_to(tmp_path)) for folder in folders] == [
        "joint/mock",
        "shipped/mock-feh",
        "shipped/mock-teff",
    ]
    assert [path.parent.name for path in tmp_path.rglob("*.safetensors")] == ["mock"]
    monkeypatch.setattr(named, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(named, "JOINT", tmp_path / "joint")
    joint = load_estimator(folders[0])
    for folder, label, error in zip(folders[1:], model.label_names, model.label_error, strict=True):
        single = load_estimator(folder)
        assert (single.label_names, single.label_error) == ((label,), error)
        np.testing.assert_array_equal(single.predict(flux()), joint.only(label).predict(flux()))
        assert f"# transtar model: {label}\n" in (folder / "README.md").read_text()
