"""`Agent`: routes inputs to their owners and puts effects in order. It has no knowledge of its own.

`feed(input, now)` stores, `drain(now, budget)` works, `next_deadline()` says when to call again.
"""
