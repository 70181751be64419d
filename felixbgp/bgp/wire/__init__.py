"""Bytes to BGP messages and back (RFC 4271 §4).

Framing, decoding and validation are separate steps. The only exception that input from a peer can cause is
`WireError`, which carries the NOTIFICATION to answer with.
"""
