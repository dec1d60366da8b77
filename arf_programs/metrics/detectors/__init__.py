"""How well a score tells wrong texts from right ones: calibration, thresholds, rankings, and several scores at once."""
