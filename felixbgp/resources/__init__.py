"""What operators write: BGPPeer, BGPConfiguration, BGPFilter, Node, IPPool and block affinities.

Takes stored bytes and keys in Calico's etcd layout, gives validated immutable values or a list of errors that
name field, value and reason. Knows nothing of clusters, peers or routes.
"""
