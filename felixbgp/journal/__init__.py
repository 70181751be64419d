"""Journals: everything that an agent was told and asked, so that it can be asked again without a world.

Takes an `Agent` (`recorder`), gives octets; takes octets, and says whether an agent of today does the same
(`replay`). Reads and writes no file: `runtime/journal_file.py` does, and a simulation may keep journals in
memory.
"""
