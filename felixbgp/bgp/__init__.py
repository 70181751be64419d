"""A BGP-4 speaker without I/O: facts in, effects out, `now` a parameter (integer nanoseconds).

`wire` turns bytes into messages and back, `session` is the FSM of RFC 4271 §8, `policy` decides per route,
`rib` holds Adj-RIB-In, Loc-RIB and Adj-RIB-Out, `speaker` joins them. It knows nothing of Calico or etcd
and must never raise because of what a peer sent.
"""
