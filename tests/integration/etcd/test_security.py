"""Certificates, users, and tokens that expire."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from felixbgp._pb.etcd import auth_pb2, rpc_pb2
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    SnapshotReceived,
)
from felixbgp.lab.etcd import EtcdServer, EtcdTls
from felixbgp.runtime.etcd import (
    Batch,
    EtcdClient,
    EtcdSettings,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    open_client,
    watch_prefixes,
)
from felixbgp.runtime.etcd.methods import Method
from felixbgp.runtime.etcd.watch import Watcher
from tests.integration.etcd.conftest import (
    QUICK,
    Cable,
    inputs_until,
    is_lost,
    is_put,
    is_stored,
)
from tests.support.authority import CertificateAuthority

pytestmark = pytest.mark.trio

READ_WRITE = auth_pb2.Permission.READWRITE


async def administer(client: EtcdClient, name: str, request: Any) -> None:
    answer = getattr(rpc_pb2, type(request).__name__.replace("Request", "Response"))
    await client.request(Method(f"/etcdserverpb.Auth/{name}", answer, is_repeatable=False), request)


async def enable_users(client: EtcdClient) -> None:
    """Root, and a user `agent` with password `secret` who may do all below /calico/."""
    await administer(client, "UserAdd", rpc_pb2.AuthUserAddRequest(name="root", password="root"))
    await administer(client, "RoleAdd", rpc_pb2.AuthRoleAddRequest(name="root"))
    await administer(client, "UserGrantRole", rpc_pb2.AuthUserGrantRoleRequest(user="root", role="root"))
    await administer(client, "UserAdd", rpc_pb2.AuthUserAddRequest(name="agent", password="secret"))
    await administer(client, "RoleAdd", rpc_pb2.AuthRoleAddRequest(name="agent"))
    permission = auth_pb2.Permission(permType=READ_WRITE, key=b"/calico/", range_end=b"/calico0")
    await administer(
        client, "RoleGrantPermission", rpc_pb2.AuthRoleGrantPermissionRequest(name="agent", perm=permission)
    )
    await administer(client, "UserGrantRole", rpc_pb2.AuthUserGrantRoleRequest(user="agent", role="agent"))
    await administer(client, "AuthEnable", rpc_pb2.AuthEnableRequest())


@asynccontextmanager
async def agent_and_root(settings: EtcdSettings) -> AsyncIterator[tuple[EtcdClient, EtcdClient]]:
    async with open_client(settings) as client:
        await enable_users(client)
    async with (
        open_client(replace(settings, username="agent", password="secret")) as agent,
        open_client(replace(settings, username="root", password="root")) as root,
    ):
        yield agent, root


async def test_name_in_the_certificate_is_the_user(
    tls_server: EtcdServer, authority: CertificateAuthority
) -> None:
    async with open_client(certified(tls_server, authority, "root")) as root:
        await enable_users(root)
        async with open_client(certified(tls_server, authority, "agent")) as agent:
            await agent.put("/calico/a", "1")
            with pytest.raises(PermissionDenied):
                await agent.put("/secret", "1")
            async with watch_prefixes(agent, ["/calico/"]) as batches:
                await inputs_until(batches, is_stored("/calico/a", b"1"))
                await root.put("/calico/a", "2")
                await inputs_until(batches, is_put("/calico/a", b"2"))


def certified(server: EtcdServer, authority: CertificateAuthority, name: str) -> EtcdSettings:
    certificate, key = authority.issue(name)
    return EtcdSettings(
        endpoints=(server.endpoint,), ca_file=authority.certificate, cert_file=certificate, key_file=key
    )


async def test_certificates_may_be_given_as_they_are(
    tls_server: EtcdServer, authority: CertificateAuthority
) -> None:
    certificate, key = authority.issue("agent")
    settings = EtcdSettings(
        endpoints=(tls_server.endpoint,),
        ca_pem=authority.certificate.read_text(),
        cert_pem=certificate.read_text(),
        key_pem=key.read_text(),
    )
    async with open_client(settings) as client:
        await client.put("/a", "1")


async def test_renewed_client_certificate_is_taken_up_without_a_restart(
    tls_server: EtcdServer, authority: CertificateAuthority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger, its_key = CertificateAuthority(tmp_path / "other").issue("agent")
    settings = EtcdSettings(
        endpoints=(tls_server.endpoint,), ca_file=authority.certificate, cert_file=stranger, key_file=its_key
    )
    async with open_client(settings) as client:
        with pytest.raises(Unavailable, match="client certificate"):
            await client.get("/a")
        for renewed, file in zip(authority.issue("agent"), (stranger, its_key), strict=True):
            file.write_bytes(renewed.read_bytes())
        assert await client.get("/a") is None


async def test_certificate_for_another_address_is_refused(
    binary: Path, tmp_path: Path, authority: CertificateAuthority
) -> None:
    tls = EtcdTls(*authority.issue("server", address="127.0.0.2"))
    with EtcdServer.on_free_ports(tmp_path / "etcd", binary=binary, tls=tls, extra_flags=QUICK) as server:
        settings = EtcdSettings(endpoints=(server.endpoint,), ca_file=authority.certificate)
        async with open_client(settings) as client:
            with pytest.raises(Unavailable, match=r"certificate is not valid for '127\.0\.0\.1'"):
                await client.get("/a")


async def test_missing_client_certificate(tls_server: EtcdServer, authority: CertificateAuthority) -> None:
    settings = EtcdSettings(endpoints=(tls_server.endpoint,), ca_file=authority.certificate)
    async with open_client(settings) as client:
        with pytest.raises(Unavailable, match="client certificate"):
            await client.get("/a")


async def test_server_of_an_unknown_authority(
    tls_server: EtcdServer, authority: CertificateAuthority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other")
    certificate, key = authority.issue("agent")
    settings = EtcdSettings(
        endpoints=(tls_server.endpoint,), ca_file=other.certificate, cert_file=certificate, key_file=key
    )
    async with open_client(settings) as client:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await client.get("/a")


async def test_plain_client_at_a_tls_port_and_the_other_way_round(
    tls_server: EtcdServer, authority: CertificateAuthority, tmp_path: Path, binary: Path
) -> None:
    plain = EtcdSettings(endpoints=(tls_server.endpoint.replace("https", "http"),))
    async with open_client(plain) as client:
        with pytest.raises(Unavailable):
            await client.get("/a")
    with EtcdServer.on_free_ports(tmp_path / "plain", binary=binary, extra_flags=QUICK) as server:
        secure = EtcdSettings(
            endpoints=(server.endpoint.replace("http", "https"),), ca_file=authority.certificate
        )
        async with open_client(secure) as client:
            with pytest.raises(Unavailable, match="TLS"):
                await client.get("/a")


async def test_file_that_is_not_there(tls_server: EtcdServer, tmp_path: Path) -> None:
    settings = EtcdSettings(endpoints=(tls_server.endpoint,), ca_file=tmp_path / "missing.pem")
    async with open_client(settings) as client:
        with pytest.raises(Unavailable, match=r"missing\.pem"):
            await client.get("/a")


async def test_user_is_bound_to_its_role(settings: EtcdSettings) -> None:
    async with agent_and_root(settings) as (agent, root):
        await agent.put("/calico/a", "1")
        with pytest.raises(PermissionDenied):
            await agent.put("/secret", "1")
        await root.put("/secret", "1")
        async with open_client(settings) as nobody:
            with pytest.raises(Unauthenticated):
                await nobody.get("/calico/a")
        async with open_client(replace(settings, username="agent", password="wrong")) as impostor:
            with pytest.raises(Unauthenticated):
                await impostor.get("/calico/a")


async def test_user_where_etcd_has_no_users(settings: EtcdSettings) -> None:
    async with open_client(replace(settings, username="agent", password="secret")) as client:
        await client.put("/a", "1")


async def test_users_that_are_enabled_while_the_agent_is_connected(
    settings: EtcdSettings, cable: Cable
) -> None:
    agent_settings = replace(settings, username="agent", password="secret")
    async with (
        open_client(settings) as admin,
        open_client(agent_settings, dialer=cable.dial) as agent,
        watch_prefixes(agent, ["/calico/"]) as batches,
    ):
        await agent.put("/calico/a", "1")
        await inputs_until(batches, is_stored("/calico/a", b"1"))
        await enable_users(admin)
        await agent.put("/calico/a", "2")
        await inputs_until(batches, is_put("/calico/a", b"2"))
        await cable.cut()
        cable.mend()
        await agent.put("/calico/a", "3")
        await inputs_until(batches, is_stored("/calico/a", b"3"))


class TestSignedTokens:
    """A JWT holds the revision of the users and roles: each change of theirs ends it."""

    @pytest.fixture
    def extra_flags(self, tmp_path: Path) -> tuple[str, ...]:
        private, public = tmp_path / "jwt.key", tmp_path / "jwt.pub"
        subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
        subprocess.run(
            ["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True, capture_output=True
        )
        return (f"--auth-token=jwt,pub-key={public},priv-key={private},sign-method=RS256,ttl=10m",)

    async def test_change_of_roles_ends_the_token_and_nobody_notices(
        self, settings: EtcdSettings, cable: Cable
    ) -> None:
        async with open_client(settings) as client:
            await enable_users(client)
        async with (
            open_client(replace(settings, username="root", password="root")) as root,
            open_client(replace(settings, username="agent", password="secret"), dialer=cable.dial) as agent,
            watch_prefixes(agent, ["/calico/"]) as batches,
        ):
            await agent.put("/calico/a", "1")
            await inputs_until(batches, is_stored("/calico/a", b"1"))
            await administer(root, "RoleAdd", rpc_pb2.AuthRoleAddRequest(name="change"))
            await agent.put("/calico/a", "2")
            await inputs_until(batches, is_put("/calico/a", b"2"))

    async def test_watch_that_was_forbidden_comes_back_when_it_is_allowed(
        self, settings: EtcdSettings, cable: Cable
    ) -> None:
        """To a watch etcd says of the ended token, too, that the permission is missing."""
        async with open_client(settings) as client:
            await enable_users(client)
        async with (
            open_client(replace(settings, username="root", password="root")) as root,
            open_client(replace(settings, username="agent", password="secret"), dialer=cable.dial) as agent,
            watch_prefixes(agent, ["/calico/"]) as batches,
        ):
            await agent.put("/calico/a", "1")
            await inputs_until(batches, is_stored("/calico/a", b"1"))
            away = rpc_pb2.AuthUserRevokeRoleRequest(name="agent", role="agent")
            await administer(root, "UserRevokeRole", away)
            await cable.cut()
            cable.mend()
            await inputs_until(batches, is_lost)
            back = rpc_pb2.AuthUserGrantRoleRequest(user="agent", role="agent")
            await administer(root, "UserGrantRole", back)
            await root.put("/calico/a", "2")
            await inputs_until(batches, is_stored("/calico/a", b"2"))


async def let_token_expire(server: EtcdServer, client: EtcdClient) -> None:
    """Return when etcd's log says that it dropped the client's token."""
    assert client._session is not None
    token = client._session.token
    with trio.fail_after(30):
        while not any(  # noqa: ASYNC110 - a file has no event to wait for
            token in line and "deleted a simple token" in line
            for line in server.log_file.read_text().splitlines()
        ):
            await trio.sleep(0.05)


class TestShortTokens:
    @pytest.fixture
    def extra_flags(self) -> tuple[str, ...]:
        return ("--auth-token-ttl=1",)

    async def test_unary_authenticates_again(self, server: EtcdServer, settings: EtcdSettings) -> None:
        async with agent_and_root(settings) as (agent, _):
            await agent.put("/calico/a", "1")
            await let_token_expire(server, agent)
            assert await agent.get("/calico/a") is not None
            await let_token_expire(server, agent)
            await agent.put("/calico/a", "2")

    async def test_open_watch_goes_on(self, server: EtcdServer, settings: EtcdSettings) -> None:
        async with agent_and_root(settings) as (agent, root):
            await agent.put("/calico/a", "1")
            async with watch_prefixes(agent, ["/calico/"]) as batches:
                await batches.receive()
                await let_token_expire(server, agent)
                await root.put("/calico/a", "2")
                await inputs_until(batches, is_put("/calico/a", b"2"))

    async def test_new_watch_on_an_old_token_authenticates_again(
        self, server: EtcdServer, settings: EtcdSettings
    ) -> None:
        """The list before it would renew the token, so the watcher is made to begin with the watch."""
        async with agent_and_root(settings) as (agent, root):
            revision = (await agent.put("/calico/a", "1")).revision
            send, receive = trio.open_memory_channel[Batch](8)
            watcher = Watcher(agent, ["/calico/"], send)
            watcher._followed[1].revision = revision
            await let_token_expire(server, agent)
            async with send, receive, trio.open_nursery() as nursery:
                nursery.start_soon(watcher.run)
                await root.put("/calico/a", "2")
                await inputs_until(receive, is_stored("/calico/a", b"2"))
                nursery.cancel_scope.cancel()


async def test_watch_survives_a_restart_that_forgets_all_tokens(
    server: EtcdServer, settings: EtcdSettings
) -> None:
    async with agent_and_root(settings) as (agent, root):
        await agent.put("/calico/a", "1")
        async with watch_prefixes(agent, ["/calico/"]) as batches:
            await batches.receive()
            await trio.to_thread.run_sync(server.stop)
            await trio.to_thread.run_sync(server.start)
            await root.put("/calico/a", "2")
            await inputs_until(batches, is_put("/calico/a", b"2"))


async def test_forbidden_prefix_is_reported_once_and_served_once_allowed(settings: EtcdSettings) -> None:
    async with (
        agent_and_root(settings) as (agent, root),
        watch_prefixes(agent, ["/felixbgp/"]) as batches,
    ):
        (lost,) = await batches.receive()
        assert isinstance(lost, DatastoreLost)
        assert "permission denied" in lost.reason
        permission = auth_pb2.Permission(permType=READ_WRITE, key=b"/felixbgp/", range_end=b"/felixbgp0")
        request = rpc_pb2.AuthRoleGrantPermissionRequest(name="agent", perm=permission)
        await administer(root, "RoleGrantPermission", request)
        assert await batches.receive() == [DatastoreRestored()]
        snapshot, _ = await batches.receive()
        assert isinstance(snapshot, SnapshotReceived)
