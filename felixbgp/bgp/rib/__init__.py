"""Adj-RIB-In, the decision process, Loc-RIB and Adj-RIB-Out (RFC 4271 §3.2, §9).

Tables are keyed by canonical NLRI bytes, path attributes are interned, and UPDATEs are built once per
update group. The selected route is a function of the Adj-RIBs-In, never of the order of arrival.
"""
