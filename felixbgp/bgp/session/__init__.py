"""The finite state machine of RFC 4271 §8: one `Connection` per TCP connection, under one `Peer`.

Takes FSM events and decoded messages, gives actions; never raises, whatever the peer sends.
"""
