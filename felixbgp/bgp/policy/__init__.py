"""Routing policy as a value: an ordered list of rules, the first that matches decides.

Takes a route's prefix, attributes and origin; gives accept or reject, the attributes to go on with, and the
name of the rule that decided. Equal policies compare equal, whatever made them and whatever they are called.
"""
