"""The contract of kernels, kept by sim's; by the real one in tests/integration/netlink/test_contract.py."""

import pytest

from felixbgp.fib.types import KernelEffect, KernelInput, KernelRoute, RouteFailed, RouteKey, RoutesApplied
from felixbgp.net import Family, Prefix
from felixbgp.sim.kernel import Kernel
from tests.support.kernel_contract import CASES, OURS, SCENARIOS, WITH_GROUPS, WITHOUT_GROUPS, Case, Scenario

pytestmark = pytest.mark.trio


class SimBench:
    """Sim's kernel with the links of the contract."""

    def __init__(self, *, has_groups: bool) -> None:
        networks = {
            "eth0": ("192.0.2.0/24", "2001:db8::/64"),
            "eth1": ("198.51.100.0/24", "2001:db8:1::/64"),
        }
        self._kernel = Kernel(OURS, map(Prefix.parse, networks["eth0"]), has_groups=has_groups)
        self._told: list[KernelInput] = []
        self._kernel.add_link("eth1", map(Prefix.parse, networks["eth1"]))

    async def apply(self, effect: KernelEffect) -> list[KernelInput]:
        answers = self._kernel.apply(effect)
        self._told += (each for each in answers if not isinstance(each, RouteFailed | RoutesApplied))
        return [each for each in answers if isinstance(each, RouteFailed | RoutesApplied)]

    async def heard(self) -> list[KernelInput]:
        told, self._told = self._told, []
        return told

    async def table(self, family: Family) -> dict[RouteKey, KernelRoute]:
        routes = self._kernel.snapshot(family).routes
        return {RouteKey(route.prefix, route.metric): route for route in routes}

    async def somebody_writes(self, route: KernelRoute) -> None:
        self._told.append(self._kernel.change(route, present=True))

    async def somebody_removes(self, route: KernelRoute) -> None:
        self._told.append(self._kernel.change(route, present=False))

    async def set_link(self, name: str, *, up: bool) -> None:
        self._told += self._kernel.set_link(name, up=up)

    async def remove_link(self, name: str) -> None:
        self._told += self._kernel.remove_link(name)

    async def disconnect(self, network: Prefix, name: str) -> None:
        self._told.append(self._kernel.disconnect(network, name))


@pytest.mark.parametrize("scenario", [*SCENARIOS, *WITH_GROUPS], ids=lambda each: each.__name__)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_sims_kernel(case: Case, scenario: Scenario) -> None:
    await scenario(SimBench(has_groups=True), case)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *WITHOUT_GROUPS], ids=lambda each: each.__name__)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_sims_kernel_without_groups(case: Case, scenario: Scenario) -> None:
    await scenario(SimBench(has_groups=False), case)
