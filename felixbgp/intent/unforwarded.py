"""What is left of an intent for an agent that writes no routes (`--no-kernel`)."""

from dataclasses import replace

from felixbgp.intent.types import Intent, Problem


def without_kernel(intent: Intent) -> Intent:
    """The intent less its static routes, which are routes of the kernel first of all; each is a problem.

    Blocks and service ranges stay, for what is in them is reached by routes of others: Felix, kube-proxy.
    """
    if not intent.static_routes:
        return intent
    problems = (
        Problem(f"route {route.prefix}", "", f"by way of {route.gateway}: this agent writes no routes")
        for route in intent.static_routes
    )
    return replace(intent, static_routes=(), problems=(*intent.problems, *problems))
