"""A simulated Suzhou: invented people in the measure of published figures."""
