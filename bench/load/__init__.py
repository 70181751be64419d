"""Loads for BGP speakers, ours and others', side by side.

A generator is in a network namespace of its own, a daemon in another; what arrives at the receiving end is
counted exactly, and CPU time and memory of the daemon come from the kernel.

```
   namespace LOAD                                       namespace DEVICE
   generator: all senders, all receivers                the daemon under test (felixbgp: and its etcd)
   10.99.1.1 … 10.99.4.250   eth0 ─────── veth ─────── eth0   10.99.0.1
```

What is offered is in `loads`, a row each; how a daemon is started is in `daemons`, a class each.
"""
