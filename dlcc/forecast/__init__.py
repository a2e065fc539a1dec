"""What the library says of a run that is not finished."""

from dlcc.forecast.forecaster import Forecaster, Prediction

__all__ = ["Forecaster", "Prediction"]
