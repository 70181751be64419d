"""What must hold at every step of a simulated cluster, whatever goes wrong in it.

    rule                                                         looked at
    lost route   no route goes while there is a way              a route is deleted (`possible`)
    early sweep  a former life's route stays until all that it   a route is deleted
                 can have heard of, and not found dead, have
                 told theirs, or two minutes
    not ready    what leads to the speaker is announced once     an UPDATE is sent
                 its kernel has the route
    policy       nothing is announced that a policy rejects      an UPDATE is sent
    two sessions one session per pair of addresses               an UPDATE is sent
    from nowhere a route is one that somebody told               a route is written
    loop         packets go round for half a minute at most,     a route is written or deleted, and each step
                 when nothing else goes wrong

Only what changed is looked at. The agents are not asked: the store, the octets between them and the kernels
decide. Where the store cannot be heard, or a kernel is tampered with, a rule is silent.
"""

from collections.abc import Iterable
from typing import Final

from felixbgp.cluster.drains import DRAINS
from felixbgp.fib.types import Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.resources.bgp_filter import FilterAction
from felixbgp.sim.drains import tells_nothing
from felixbgp.sim.filters import is_about, rules
from felixbgp.sim.links import Trouble
from felixbgp.sim.network import End
from felixbgp.sim.observer import Observer
from felixbgp.sim.oracle import calico_lets_out, origins
from felixbgp.sim.possible import FOREVER, MARGIN_NS, NEVER, SECOND, VIEW_NS, Possible, names_at
from felixbgp.sim.said import UPDATE, Said, read
from felixbgp.sim.tables import Tables
from felixbgp.sim.topology import Cluster, Router, Session
from felixbgp.sim.topology import read as read_store
from felixbgp.sim.world import World

SWEEP_NS: Final = 114 * SECOND
"""After this long a former life's routes go in any case: two minutes by the fastest clock of all."""
LOOP_NS_MAX: Final = 30 * SECOND
"""A loop may last this long when nothing goes wrong meanwhile: longer than anybody waits to say anything."""
KERNEL_CALM_NS: Final = 130 * SECOND
"""The agent reads its kernel each minute, and tries again what was refused for as long."""
TOLD_NS: Final = 30 * SECOND
"""How old a withdrawal may be that has not been heard or acted upon yet."""
KEPT_NS: Final = 160 * SECOND
"""The same where the link let nothing pass: it may be lost with its session, of which the hearer keeps all
that it had for the restart time."""


class ViolationError(Exception):
    """A rule was broken: which, and in words where."""

    def __init__(self, rule: str, where: str) -> None:
        super().__init__(f"{rule}: {where}")
        self.rule = rule
        self.where = where


class Safety(Observer):
    """Watches one world from its beginning; raises `ViolationError` in the step in which a rule is broken."""

    def __init__(self, world: World, routers: Iterable[Router] = (), *, draining_s: int = 0) -> None:
        self._world = world
        self._routers = tuple(routers)
        self._possible = Possible(lambda: world.clock.now, draining_s * SECOND, self._may_be_behind)
        self._tables = Tables(world)
        self._names: dict[Address, str] = {}
        self._store_is_new = True
        self._heard: dict[Address, dict[Prefix, dict[Address, _Told]]] = {}
        """By hearer, prefix and teller."""
        self._speaking: dict[tuple[str, Address], dict[End, None]] = {}
        """By host and peer: the connections over which the host has sent an UPDATE."""
        self._kernel_disturbed_at: dict[str, int] = {}
        self._unpowered: dict[str, bool] = {}
        self._powered_at: dict[str, int] = {}
        """When each machine that had lost its power began to live again, last."""
        self._cut_at: dict[frozenset[str], int] = {}
        """When each link was cut, or whole again, last."""
        self._mute: dict[frozenset[str], tuple[int, int]] = {}
        """From when until when each link last let nothing pass; what followed soon is one with it."""
        self._disturbed_at = 0
        self._written_at = 0
        """When the store last became another one."""
        self._changed: dict[tuple[str, Prefix], None] = {}
        self._loops: dict[Prefix, int] = {}
        self.longest_loop_ns = 0
        """Of those that are over."""
        world.observe(self)

    # ---- what happens

    def key_changed(self, key: str) -> None:
        """Note that the store is to be read again, where the key is one that means something."""
        if key.startswith(("/calico/", DRAINS)):
            self._store_is_new = True

    def host_changed(self, host: str) -> None:
        """Note when a life begins."""
        self._disturbed_at = self._now
        if not self._tables.is_known(host):
            self._tables.reread(host)
        node = self._world.nodes.get(host)
        if node is None or node.is_alive:
            self._possible.began(host)
            if self._unpowered.pop(host, False):
                self._powered_at[host] = self._now
        if node is not None and node.is_alive and not node.kernel.routes():
            # Somebody had deleted all of them: its peers hear that it has not kept what it forwarded by.
            self._possible.lost_power(node.addresses)

    def link_changed(self, first: str, second: str) -> None:
        """Note that something goes wrong, or is over."""
        self._disturbed_at = self._now
        link = frozenset((first, second))
        if link in self._cut_at or self._is_cut(link):
            self._cut_at[link] = self._now
        if self._is_mute(link):
            began, ended = self._mute.get(link, (0, -KEPT_NS))
            self._mute[link] = (began if self._now - ended < KEPT_NS else self._now), FOREVER
        elif link in self._mute and self._mute[link][1] == FOREVER:
            self._mute[link] = self._mute[link][0], self._now

    def kernel_disturbed(self, node: str) -> None:
        """Note that what a kernel has is nothing to judge its agent by."""
        self._disturbed_at = self._kernel_disturbed_at[node] = self._now
        self._tables.reread(node)
        machine = self._world.nodes.get(node)
        if machine is not None and machine.is_off:
            self._unpowered[node] = True
            self._possible.lost_power(machine.addresses)

    def route_changed(self, node: str, prefix: Prefix, metric: int, route: Route | None) -> None:
        """Judge what an agent did to its kernel."""
        before = self._tables.route(node, prefix)
        self._tables.put(node, prefix, metric, route)
        self._changed[node, prefix] = None
        self._read_store()
        if not self._tables.is_known(node):
            return
        if route is not None:
            self._check_source(node, prefix, route)
        elif before is not None and self._tables.route(node, prefix) is None:
            self._check_sweep(node, prefix)
            self._check_loss(node, prefix)

    def sent(
        self, connection: object, host: str, local: Address | None, remote: Address, data: bytes
    ) -> None:
        """Judge what a speaker says."""
        if local is None or not isinstance(connection, End):
            return
        self._read_store()
        for said in read(data):
            if said.kind == UPDATE:
                self._check_single(connection, host, remote)
            if said.ends_table:
                self._possible.table_sent((local, remote), connection)
            if said.withdrawn or said.announced:
                self._hear(local, remote, said)
            for prefix in said.announced:
                self._check_ready(host, local, prefix, said)
                self._check_policy(host, (local, remote), prefix)

    def connection_ended(self, connection: object, host: str) -> None:
        """Forget a connection."""
        if not isinstance(connection, End):
            return
        speaking = self._speaking.get((host, connection.remote_address), {})
        if connection in speaking:
            del speaking[connection]
            self._disturbed_at = self._now
        if connection.local_address is not None:
            way = connection.local_address, connection.remote_address
            self._possible.connection_ended(way, connection)

    def stepped(self) -> None:
        """Look for loops where routes changed, and whether one lasts too long."""
        self._possible.store_is_sound(sound=self._world.store.is_sound())
        self._tables.settle()
        self._read_store()
        if self._changed:
            changed, self._changed = self._changed, {}
            for node, prefix in changed:
                self._look_for_loops(node, prefix)
        if self._loops:
            self._check_loops()

    @property
    def _now(self) -> int:
        return self._world.clock.now

    def _read_store(self) -> None:
        if not self._store_is_new:
            return
        self._store_is_new = False
        self._disturbed_at = self._written_at = self._now
        values = ((key, stored.value) for key, stored in self._world.store.contents().items())
        self._possible.store_changed(read_store(values, self._routers))
        self._names = names_at(self._possible.clusters)

    # ---- lost routes

    def _check_loss(self, node: str, prefix: Prefix) -> None:
        is_silent = self._is_of_services(prefix) or not self._is_calm(node) or self._seems_dead()
        teller = "" if is_silent else self._possible.must_have(node, prefix)
        if teller:
            text = f"{node} has no route to {prefix} any more, and {teller} tells of a way"
            raise ViolationError("lost route", text)

    def _seems_dead(self) -> bool:
        """Whether somebody without an agent is behind a cut link, or lately was: that is taken for death."""
        nodes = self._world.nodes
        return any(
            not nodes[name].is_alive or self._now - self._possible.life(name) < VIEW_NS
            for link, at in self._cut_at.items()
            if self._now - at < VIEW_NS or self._is_cut(link)
            for name in link
            if name in nodes
        )

    def _is_cut(self, link: frozenset[str]) -> bool:
        """Whether who dials over a link gets no answer of the other end, not even a refusal."""
        links, first, second = self._world.network.links, min(link), max(link)
        return links.has(Trouble.CUT, first, second) or links.has(Trouble.UNREACHABLE, first, second)

    def _may_be_behind(self, first: str, second: str) -> bool:
        """Whether one may not have heard what the other tells by what the store says now.

        Their link lets nothing pass, or lately did not, and the store has changed since.
        """
        began, ended = self._mute.get(frozenset((first, second)), NEVER)
        return began <= self._written_at and self._now - ended < KEPT_NS

    def _is_mute(self, link: frozenset[str]) -> bool:
        """Whether nothing that is sent over a link arrives."""
        links, first, second = self._world.network.links, min(link), max(link)
        return links.has(Trouble.CUT, first, second) or links.has(Trouble.CLOGGED, first, second)

    def _check_sweep(self, node: str, prefix: Prefix) -> None:
        """Of what nobody told it in this life, an agent lets go when all have told what they have."""
        life = self._possible.life(node)
        if self._now - life >= SWEEP_NS - MARGIN_NS or self._is_of_services(prefix):
            return
        clusters = self._possible.clusters
        if any(node not in one.speakers or prefix in origins(one, node) for one in clusters):
            return
        for address in clusters[-1].speakers[node].addresses.values():
            told = self._heard.get(address, {}).get(prefix, {}).values()
            if any(one.at >= life for one in told):
                return
        expected = (one for one in self._expected(node) if not self._has_told(one))
        owing = [one for one in expected if not self._may_seem_dead(one)]
        if owing:
            text = f"{node} has let go of {prefix}, and {owing[0].sender} has not told yet what it has"
            raise ViolationError("early sweep", text)

    def _expected(self, node: str) -> list[Session]:
        """The sessions over which a node must hear something, by what the store has told it by now."""
        addresses = self._possible.clusters[-1].speakers[node].addresses.values()
        delay_ns = self._world.store.delay(node)
        return [one for address in addresses for one in self._possible.wanted(address, delay_ns)]

    def _may_seem_dead(self, session: Session) -> bool:
        """Whether who is to tell was without an agent and out of reach since the hearer began.

        Nobody waits for who was found dead, and that ends with the first thing that is heard of it.
        """
        node, sender, life = session.receiver, session.sender, self._possible.life(session.receiver)
        machine = self._world.nodes.get(sender)
        if machine is None or self._speaking.get((sender, session.into.local)):
            return False
        link = frozenset((node, sender))
        was_away = not machine.is_alive or self._possible.life(sender) > life
        was_off = machine.is_off or self._powered_at.get(sender, -1) >= life
        was_cut = self._is_cut(link) or self._cut_at.get(link, -1) >= life
        return was_away and (was_off or was_cut)

    def _has_told(self, session: Session) -> bool:
        return self._possible.has_told_all((session.out.local, session.into.local))

    def _is_of_services(self, prefix: Prefix) -> bool:
        """Whether the prefix is one that no kernel has."""
        clusters = self._possible.clusters
        return any(one.covers(prefix) for cluster in clusters for one in cluster.service_ranges)

    # ---- announcements

    def _check_single(self, connection: End, host: str, remote: Address) -> None:
        """An UPDATE is sent on an Established session only."""
        speaking = self._speaking.setdefault((host, remote), {})
        speaking[connection] = None
        if len(speaking) > 1:
            raise ViolationError("two sessions", f"{host} has two with {remote}")

    def _hear(self, local: Address, remote: Address, said: Said) -> None:
        heard = self._heard.setdefault(remote, {})
        for prefix in said.withdrawn:
            told = heard.setdefault(prefix, {}).get(local)
            if told is not None:
                told.say(None, self._now)
        for prefix in said.announced:
            heard.setdefault(prefix, {}).setdefault(local, _Told()).say(said.next_hop, self._now)

    def _check_ready(self, host: str, local: Address, prefix: Prefix, said: Said) -> None:
        """What will bring packets here must have somewhere to go."""
        node = self._world.nodes[host]
        if said.next_hop != local or not node.forwards or self._is_of_services(prefix):
            return
        if self._is_calm(host) and self._tables.route(host, prefix) is None:
            raise ViolationError("not ready", f"{host} announces {prefix}, to which its kernel has no route")

    def _is_calm(self, node: str) -> bool:
        """Whether what a kernel has is its agent's doing."""
        return self._now - self._kernel_disturbed_at.get(node, -KERNEL_CALM_NS) >= KERNEL_CALM_NS

    def _check_policy(self, host: str, way: tuple[Address, Address], prefix: Prefix) -> None:
        """Some of what the store lately said must let it out."""
        views = self._possible.views_of(way)
        if views and not any(_may_leave(cluster, session, prefix) for cluster, session in views):
            text = f"{host} announces {prefix} to {way[1]}, which its policy rejects"
            raise ViolationError("policy", text)

    # ---- routes

    def _check_source(self, node: str, prefix: Prefix, route: Route) -> None:
        """Somebody told of the prefix and of these gateways, or it is the node's own."""
        clusters = self._possible.clusters
        if route.kind is not RouteKind.UNICAST:
            if not any(prefix in origins(one, node) for one in clusters if node in one.speakers):
                raise ViolationError("from nowhere", f"{node} has {prefix} as its own, which it is not")
            return
        told = [
            (one, self._mute.get(frozenset((node, self._names.get(teller, node))), NEVER))
            for address in self._world.nodes[node].addresses
            for teller, one in self._heard.get(address, {}).get(prefix, {}).items()
        ]
        for hop in route.next_hops:
            if not any(one.holds(hop.gateway, self._now, mute) for one, mute in told):
                text = f"{node} has {prefix} by {hop.gateway}, and nobody told of that"
                raise ViolationError("from nowhere", text)

    # ---- loops

    def _look_for_loops(self, node: str, prefix: Prefix) -> None:
        if node in self._world.nodes and self._tables.loop(node, prefix, self._names):
            self._loops.setdefault(prefix, self._now)
        elif prefix in self._loops and not self._round(prefix):
            self.longest_loop_ns = max(self.longest_loop_ns, self._now - self._loops.pop(prefix))

    def _round(self, prefix: Prefix) -> tuple[str, ...]:
        """Where packets to a prefix go round, from anywhere."""
        found = (self._tables.loop(name, prefix, self._names) for name in self._world.nodes)
        return next((loop for loop in found if loop), ())

    def _check_loops(self) -> None:
        world = self._world
        if not (world.network.links.is_sound() and all(node.is_alive for node in world.nodes.values())):
            # What is said does not arrive, or is not said: it goes on as long as that does.
            self._disturbed_at = self._now
        for prefix, since in list(self._loops.items()):
            if self._now - max(since, self._disturbed_at) > LOOP_NS_MAX:
                loop = self._round(prefix)
                if loop:
                    raise ViolationError("loop", f"packets to {prefix} go round by {' '.join(loop)}")
                del self._loops[prefix]


class _Told:
    """What one speaker told another of a prefix: the next hops, and until when each was the last word."""

    __slots__ = ("at", "next_hops")

    def __init__(self) -> None:
        self.next_hops: dict[Address, int | None] = {}
        self.at = 0

    def say(self, next_hop: Address | None, now: int) -> None:
        """This is the last word now; None: there is no way any more."""
        self.at = now
        for known, until in self.next_hops.items():
            if until is None:
                self.next_hops[known] = now
        if next_hop is not None:
            self.next_hops[next_hop] = None

    def holds(self, gateway: Address | None, now: int, mute: tuple[int, int] = NEVER) -> bool:
        """Whether a gateway is the last word, or was lately: nobody knows what has been acted upon.

        Nor what has been heard of what was said while the link was `mute`, from when until when.
        """
        if gateway is None or gateway not in self.next_hops:
            return False
        until = self.next_hops[gateway]
        if until is None or now - until < TOLD_NS:
            return True
        return mute[0] - TOLD_NS <= until <= mute[1] and now - mute[1] < KEPT_NS


def _may_leave(cluster: Cluster, session: Session, prefix: Prefix) -> bool:
    """Whether a policy lets out some path to a prefix: of conditions on communities nobody knows."""
    if session.sender in cluster.routers:
        return True
    if tells_nothing(cluster, session.sender):
        return False
    learned = prefix not in origins(cluster, session.sender)
    for rule in rules(cluster, session.out, "export", prefix):
        if is_about(rule, prefix, internal=not session.out.external, learned=learned):
            if rule.action is FilterAction.ACCEPT:
                return True
            if rule.communities is None:
                return False
    return calico_lets_out(cluster, session.sender, prefix)
