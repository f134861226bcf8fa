"""A practice system: invented people, drawn faces, ninety days of history by the real rules.

Everything here refuses to run unless OST_MODE=demo. Nothing secret is in the
repository: passwords, PINs, codes and station keys are drawn at the first load
and kept in one file only its owner can read.
"""
