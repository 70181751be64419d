#!/usr/bin/python
"""Users and roles of felixbgp in etcd: an agent reads everything and writes its own keys alone."""

from __future__ import annotations

import base64
import json

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: etcd_access
short_description: Users and roles of felixbgp in etcd
description:
  - Makes the users C(root), C(felixbgp-operator), and for each node C(felixbgp-agent-NODE), gives them
    their roles and those their permissions, takes away what else these have, and turns authentication on.
  - Users of agents whose nodes are not named are removed. Other users and roles are left alone.
  - A user is whoever has a certificate of that common name; nobody has a password.
author: The felixbgp authors
attributes:
  check_mode:
    support: full
    description: Says what would change.
options:
  endpoints:
    description: Where etcd is.
    type: str
    required: true
  ca_cert:
    description: File of the authority's certificate.
    type: path
    required: true
  cert:
    description: File of root's certificate.
    type: path
    required: true
  key:
    description: File of root's key.
    type: path
    required: true
  stranger_cert:
    description: File of a certificate of which the name is no user's; it tells whether authentication is on.
    type: path
    required: true
  stranger_key:
    description: File of its key.
    type: path
    required: true
  nodes:
    description: Names of the nodes that have an agent.
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- name: Make users and roles
  felixbgp.felixbgp.etcd_access:
    endpoints: https://127.0.0.1:2379
    ca_cert: /etc/etcd/pki/ca.crt
    cert: /etc/etcd/pki/etcd-root.crt
    key: /etc/etcd/pki/etcd-root.key
    stranger_cert: /etc/etcd/pki/member.crt
    stranger_key: /etc/etcd/pki/member.key
    nodes: [node-1, node-2]
"""

RETURN = """
changes:
  description: What was done, or would be, as arguments of etcdctl.
  returned: always
  type: list
  elements: str
"""

AGENT = "felixbgp-agent"
OPERATOR = "felixbgp-operator"
CALICO = "/calico/"
OURS = "/felixbgp/v1/"
STATUS_RESOURCES = "/calico/resources/v3/projectcalico.org/caliconodestatuses/"
ACCESS = {0: "read", 1: "write", 2: "readwrite"}


def end_of(prefix):
    """The first key that is not below a prefix of ASCII characters."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def wanted_roles(nodes):
    """The permissions of each role: its first key, the end of its range ("" for one key), and the kind."""
    shared = {
        OPERATOR: {(prefix, end_of(prefix), "readwrite") for prefix in (CALICO, OURS)},
        AGENT: {(prefix, end_of(prefix), "read") for prefix in (CALICO, OURS)},
    }
    return {**shared, **{f"{AGENT}-{node}": own_permissions(node) for node in nodes}}


def own_permissions(node):
    """What one agent writes: its documents, its place in line for resets, the report of its own name."""
    documents = f"{OURS}nodes/{node}/"
    return {
        (documents, end_of(documents), "readwrite"),
        (f"{OURS}resets/{node}", "", "readwrite"),
        (f"{STATUS_RESOURCES}{node}", "", "readwrite"),
    }


def wanted_users(nodes):
    """The roles of each user."""
    agents = {f"{AGENT}-{node}": {AGENT, f"{AGENT}-{node}"} for node in nodes}
    return {"root": {"root"}, OPERATOR: {OPERATOR}, **agents}


def permissions_of(answer):
    """The permissions in etcdctl's answer to `role get`, in the form of `wanted_roles`."""
    return {
        (_text(one.get("key")), _text(one.get("range_end")), ACCESS[one.get("permType", 0)])
        for one in answer.get("perm") or ()
    }


def _text(encoded):
    return base64.b64decode(encoded or "").decode()


def role_changes(name, wanted, present):
    """The commands that make a role's permissions these; `present` is None where there is no such role."""
    if present is None:
        yield ["role", "add", name]
    granted = {(key, end) for key, end, _ in wanted}
    for key, end, _ in sorted(present or ()):
        if (key, end) not in granted:
            yield ["role", "revoke-permission", name, key, *([end] if end else [])]
    for key, end, access in sorted(wanted - (present or set())):
        yield ["role", "grant-permission", name, access, key, *([end] if end else [])]


def user_changes(name, wanted, present):
    """The commands that make a user's roles these; `present` is None where there is no such user."""
    if present is None:
        yield ["user", "add", name, "--no-password"]
    for role in sorted((present or set()) - wanted):
        yield ["user", "revoke-role", name, role]
    for role in sorted(wanted - (present or set())):
        yield ["user", "grant-role", name, role]


def superfluous(names, wanted):
    """Those of agents that are wanted no more."""
    return sorted(name for name in names if name.startswith(f"{AGENT}-") and name not in wanted)


class Etcd:
    """etcdctl, as root."""

    def __init__(self, module):
        self._module = module
        self._etcdctl = module.get_bin_path("etcdctl", required=True)

    def run(self, arguments, who="", check=True):
        """Run etcdctl with the certificate of root, or of `who`; its answer is JSON."""
        params = self._module.params
        command = [
            self._etcdctl,
            f"--endpoints={params['endpoints']}",
            f"--cacert={params['ca_cert']}",
            f"--cert={params[who + 'cert']}",
            f"--key={params[who + 'key']}",
            "-w=json",
            *arguments,
        ]
        code, out, err = self._module.run_command(command, environ_update={"ETCDCTL_API": "3"})
        if check and code:
            self._module.fail_json(msg=f"etcdctl {' '.join(arguments)}: {err.strip() or out.strip()}")
        return code, out

    def ask(self, *arguments):
        """The answer to a question."""
        return json.loads(self.run(arguments)[1])

    def is_guarded(self):
        """Whether it asks who one is: then somebody who is no user may not read."""
        return self.run(["get", OURS, "--limit=1"], who="stranger_", check=False)[0] != 0

    def changes(self, nodes):
        """All commands that are to be run, in order."""
        roles, users = wanted_roles(nodes), wanted_users(nodes)
        there = set(self.ask("role", "list").get("roles") or ())
        for name, permissions in roles.items():
            present = permissions_of(self.ask("role", "get", name)) if name in there else None
            yield from role_changes(name, permissions, present)
        if "root" not in there:
            yield ["role", "add", "root"]
        known = set(self.ask("user", "list").get("users") or ())
        for name, wanted in users.items():
            present = set(self.ask("user", "get", name).get("roles") or ()) if name in known else None
            yield from user_changes(name, wanted, present)
        yield from (["user", "delete", name] for name in superfluous(known, users))
        yield from (["role", "delete", name] for name in superfluous(there, roles))
        if not self.is_guarded():
            yield ["auth", "enable"]


def main():
    """Look at what is there, and do the rest."""
    options = dict.fromkeys(("ca_cert", "cert", "key", "stranger_cert", "stranger_key"))
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "str", "required": True},
            **{name: {"type": "path", "required": True, "no_log": False} for name in options},
            "nodes": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    etcd = Etcd(module)
    changes = list(etcd.changes(module.params["nodes"]))
    if not module.check_mode:
        for change in changes:
            etcd.run(change)
    module.exit_json(changed=bool(changes), changes=[" ".join(change) for change in changes])


if __name__ == "__main__":
    main()
