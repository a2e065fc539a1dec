"""Forecasts: the expected end of a run that is not finished, by past runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.forecast.diffusion import bass as bass
    from dlcc.forecast.diffusion import fit_diffusion as fit_diffusion
    from dlcc.forecast.diffusion import logistic as logistic
    from dlcc.forecast.folders import FolderForecast as FolderForecast
    from dlcc.forecast.folders import forecast_folders as forecast_folders
    from dlcc.forecast.forecaster import Forecaster as Forecaster
    from dlcc.forecast.forecaster import Prediction as Prediction

_HOMES = {
    "FolderForecast": "dlcc.forecast.folders",
    "Forecaster": "dlcc.forecast.forecaster",
    "Prediction": "dlcc.forecast.forecaster",
    "bass": "dlcc.forecast.diffusion",
    "fit_diffusion": "dlcc.forecast.diffusion",
    "forecast_folders": "dlcc.forecast.folders",
    "logistic": "dlcc.forecast.diffusion",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
