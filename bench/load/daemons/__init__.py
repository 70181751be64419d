"""The daemons under test: each writes its configuration for a load, and starts in the device's namespace.

None of them writes kernel routes; all listen and let the parties dial.
"""
