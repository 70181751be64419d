"""The event-sourced view of the store: state = fold(events).

Takes keys and values as etcd has them; gives typed resources and what is wrong with the others. It depends
only on the current keys, never on the order in which they came, and is not in sync before every watched
prefix delivered its first snapshot.
"""
