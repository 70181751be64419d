"""The kernel's routes over rtnetlink: effects of the fib become messages, messages become its inputs.

Takes `ReplaceRoutes` and `DeleteRoutes`, gives an answer for every prefix in them; watches one routing table,
the links and their addresses. It decides nothing, and bytes from the kernel never make it raise.
"""
