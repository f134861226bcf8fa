"""The parts of the Secure Biometric Interface driver: wire, messages, trust, blocks, pictures.

Nothing here keeps a sample, and no exception or `repr` here shows one.
"""
