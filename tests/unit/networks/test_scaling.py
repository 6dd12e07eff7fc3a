import msgspec
import numpy as np
import pytest

from trainroute.errors import TrainingError
from trainroute.networks import scaling
from trainroute.networks.scaling import FeatureScaling, LabelScaling, feature_scaling, label_scaling


def _features(n_rows: int = 500) -> np.ndarray:
    """0: normal · 1: normal with missing values · 2: constant · 3: wholly missing · 4: constant with missing values."""
    rng = np.random.default_rng(0)
    features = rng.normal(loc=100.0, scale=3.0, size=(n_rows, 5)).astype(np.float32)
    features[:, [2, 4]] = 1e6
    features[::5, [1, 4]] = np.nan
    features[:, 3] = np.nan
    return features


def test_inputs_have_mean_nothing_and_unit_deviation_on_the_training_rows() -> None:
    features = _features()
    found = feature_scaling(features)
    inputs = found.inputs(features)
    assert inputs.dtype == np.float32
    present = ~np.isnan(features[:, 1])
    np.testing.assert_allclose(inputs[:, 0].mean(), 0.0, atol=1e-4)
    np.testing.assert_allclose(inputs[:, 0].std(), 1.0, atol=1e-3)
    np.testing.assert_allclose(inputs[present, 1].std(), 1.0, atol=1e-3)
    np.testing.assert_array_equal(inputs[~present, 1], 0.0)


def test_what_does_not_vary_is_no_input_and_absence_is_one_where_training_shows_both() -> None:
    features = _features()
    found = feature_scaling(features)
    assert found.values == (0, 1)
    assert found.indicated == (1, 4)
    inputs = found.inputs(features)
    assert inputs.shape == (500, found.n_inputs) == (500, 4)
    np.testing.assert_array_equal(inputs[:, 2:], np.isnan(features[:, [1, 4]]))


def test_the_value_and_the_absence_of_a_feature_are_told_to_belong_together() -> None:
    assert feature_scaling(_features()).columns == ((0, -1), (1, 2), (-1, 3))


def test_a_feature_that_was_never_missing_stands_at_its_mean_where_it_is() -> None:
    features = _features()
    found = feature_scaling(features)
    row = features[1:2].copy()
    row[0, 0] = np.nan
    assert found.inputs(row)[0, 0] == 0.0


def test_statistics_do_not_depend_on_how_many_rows_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    features = _features()
    whole = feature_scaling(features)
    inputs = whole.inputs(features)
    monkeypatch.setattr(scaling, "_ROWS_AT_ONCE", 7)
    parts = feature_scaling(features)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(parts.scale, whole.scale, rtol=1e-9)
    np.testing.assert_array_equal(whole.inputs(features), inputs)


def test_outliers_are_clipped() -> None:
    found = feature_scaling(_features())
    far = np.full((1, 5), 1e9, dtype=np.float32)
    assert found.inputs(far)[0, 0] == scaling.LARGEST
    assert found.inputs(-far)[0, 0] == -scaling.LARGEST


def test_features_that_say_nothing_are_refused() -> None:
    with pytest.raises(TrainingError, match="none of the 3 features varies in the 10 training rows"):
        feature_scaling(np.ones((10, 3), dtype=np.float32))


def test_another_number_of_features_is_refused() -> None:
    with pytest.raises(ValueError, match="4 features for a scaling of 5"):
        feature_scaling(_features()).inputs(np.ones((3, 4), dtype=np.float32))


def test_labels_come_back_and_unknown_ones_are_left_out() -> None:
    labels = np.array([1.0, np.nan, 3.0, 5.0, np.nan], dtype=np.float32)
    found = label_scaling(labels)
    assert found.mean == pytest.approx(3.0)
    assert found.scale == pytest.approx(np.std([1.0, 3.0, 5.0]))
    known = ~np.isnan(labels)
    np.testing.assert_allclose(found.unscaled(found.scaled(labels)[known].astype(float)), labels[known], rtol=1e-6)
    assert np.isnan(found.scaled(labels)[~known]).all()


def test_a_label_far_away_is_clipped() -> None:
    labels = np.append(np.random.default_rng(0).normal(size=999), 1e4).astype(np.float32)
    assert label_scaling(labels).scaled(labels).max() == scaling.LARGEST


def test_scalings_come_back_from_json_bit_for_bit() -> None:
    found, labels = feature_scaling(_features()), label_scaling(np.array([0.1, 0.7, 0.4], dtype=np.float32))
    assert msgspec.json.decode(msgspec.json.encode(found), type=FeatureScaling) == found
    assert msgspec.json.decode(msgspec.json.encode(labels), type=LabelScaling) == labels
