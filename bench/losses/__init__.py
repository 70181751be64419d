"""What is lost of 1 kHz between all endpoints while a cluster changes: felixbgp, and BIRD as Calico runs it.

    case.py      what a case is, and how it is run: restore, prepare, probe, change, settle, count
    cluster.py   a lab whose nodes run felixbgp, and all that a case may do to it
    bird.py      the same cluster with BIRD on every node, and confd's part played: the twin
    cases.py     all cases; one module for each group of them
    page.py      docs/losses.md
    command.py   `python -m bench losses`

**To add a case**: write a module beside `reflectors.py` with functions that take a `Cluster` and change it,
and a tuple `CASES`; add the tuple to `cases.py`. A change is written as for a cluster of felixbgp, into etcd
(`cluster.put`, `cluster.felixbgp("annotate", …)`): the twin derives BIRD's configuration from the same etcd,
as confd does, so that it needs no word of its own. What is done to daemons goes by `cluster.stop`, `kill` and
`start`, which know both; what only felixbgp can do has `bird=False`. `cluster.lab` has all else (etcd,
namespaces, signals). Then `tests/lab/test_losses_*.py` runs it once with felixbgp and asserts that nothing
was lost, and `python -m bench losses --cases NAME --runs 3 --publish` writes its row.
"""
