"""Pure rules: values in, values out; no clock, no input or output, no log.

Days are whole numbers counted from 1970-01-01 (:mod:`schemas.clock`).
"""
