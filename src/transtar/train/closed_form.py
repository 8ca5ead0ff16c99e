"""Fits that need no training loop: recalibration and ridge regression. They are the null models of every table."""

from __future__ import annotations

import numpy as np

from ..errors import InputError, SettingsError
from .settings import Recalibrate, Ridge


def fit_recalibration(
    predictions: np.ndarray, labels: np.ndarray, settings: Recalibrate, label_names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit offset, slope and perhaps a term in another label, per label, by (shrunken) least squares.

    Minimises ``sum (y - offset - slope x - c t)^2 + shrinkage (var(x) (slope - 1)^2 + var(t) c^2)``.

    Parameters
    ----------
    predictions, labels : ndarray, shape (n, n_labels)
        In physical units; labels are NaN where missing.
    settings : Recalibrate
    label_names : tuple of str

    Returns
    -------
    matrix : ndarray, shape (n_labels, n_labels), float64
    offset : ndarray, shape (n_labels,), float64
        ``labels ~ predictions @ matrix.T + offset``. A label present in fewer stars than the fit has coefficients
        gets an offset alone, and none if it is present in no star.

    Raises
    ------
    SettingsError
        If the term is not a label of the model.
    """
    if settings.term is not None and settings.term not in label_names:
        raise SettingsError(f"recalibrate: the model does not predict '{settings.term}', only {', '.join(label_names)}")
    x_all, y_all = np.asarray(predictions, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    matrix, offset = np.eye(len(label_names)), np.zeros(len(label_names))
    for index, name in enumerate(label_names):
        rows = np.isfinite(y_all[:, index]) & np.isfinite(x_all).all(axis=1)
        if not rows.any():
            continue
        columns = [index] if settings.slope else []
        if settings.term is not None and settings.term != name:
            columns.append(label_names.index(settings.term))
        if rows.sum() < len(columns) + 1:
            columns = []
        x, residual = x_all[rows], y_all[rows, index] - x_all[rows, index]
        # Fitting the residual centres the shrinkage on "no change"; standardising makes it the same for all units.
        scale = x[:, columns].std(axis=0)
        columns = [column for column, width in zip(columns, scale, strict=True) if width > 0]
        centre, scale = x[:, columns].mean(axis=0), x[:, columns].std(axis=0)
        design = (x[:, columns] - centre) / scale
        penalty = np.sqrt(settings.shrinkage) * np.eye(len(columns))
        solution = np.linalg.lstsq(
            np.vstack([design, penalty]),
            np.concatenate([residual - residual.mean(), np.zeros(len(columns))]),
            rcond=None,
        )[0]
        matrix[index, columns] += solution / scale
        offset[index] = residual.mean() - (solution / scale * centre).sum()
    return matrix, offset


def fit_ridge(inputs: np.ndarray, targets: np.ndarray, settings: Ridge) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Fit a ridge regression per label, its penalty chosen by leave-one-out error.

    The leave-one-out residual is ``e_i / (1 - h_i)`` with h the diagonal of the hat matrix (Golub, Heath & Wahba 1979,
    Technometrics 21, 215, before the average that makes it generalised), the intercept not penalised.

    Parameters
    ----------
    inputs : ndarray, shape (n, n_inputs)
        Standardised.
    targets : ndarray, shape (n, n_labels)
        NaN where missing.
    settings : Ridge

    Returns
    -------
    weight : ndarray, shape (n_labels, n_inputs), float64
    bias : ndarray, shape (n_labels,), float64
    alphas : list of float
        The penalty chosen for each label.

    Raises
    ------
    InputError
        If a label is present in fewer than two stars.
    """
    inputs, targets = np.asarray(inputs, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    tried = np.logspace(settings.log_alpha_min, settings.log_alpha_max, settings.n_alpha)
    weight, bias, alphas = np.zeros((targets.shape[1], inputs.shape[1])), np.zeros(targets.shape[1]), []
    for index in range(targets.shape[1]):
        rows = np.isfinite(targets[:, index])
        n = int(rows.sum())
        if n < 2:
            raise InputError(f"ridge: label {index + 1} is present in {n} star(s), needs at least two")
        x_mean, y_mean = inputs[rows].mean(axis=0), targets[rows, index].mean()
        x, y = inputs[rows] - x_mean, targets[rows, index] - y_mean
        # Left singular vectors and squared singular values from the smaller Gram matrix: cheaper than an SVD of x.
        if n <= x.shape[1]:
            squares, left = np.linalg.eigh(x @ x.T)
            squares = np.maximum(squares, 0.0)
        else:
            squares, right = np.linalg.eigh(x.T @ x)
            squares = np.maximum(squares, 0.0)
            left = (x @ right) / np.sqrt(np.where(squares > 0, squares, np.inf))
        projection = left.T @ y
        errors = []
        for alpha in tried:
            shrink = squares / (squares + alpha)
            hat = (left**2) @ shrink + 1 / n
            errors.append(np.mean(((y - left @ (shrink * projection)) / np.maximum(1 - hat, 1e-12)) ** 2))
        alpha = float(tried[int(np.argmin(errors))])
        weight[index] = x.T @ (left @ (projection / (squares + alpha)))
        bias[index] = y_mean - weight[index] @ x_mean
        alphas.append(alpha)
    return weight, bias, alphas
