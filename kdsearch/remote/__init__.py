"""A sweep sent to a Ray cluster from elsewhere, as a Ray Job.

What goes there is the command line, the user's own code that it names, and `search_spaces/`. kdsearch itself must be
installed there, with the versions of `constraints.txt`: torch and Ray come with the machine or the image, they must be
the same on all nodes, and a copy sent along would hide that they are not (a sweep records the versions it ran with).
Data stay where the nodes find them. Secrets are references (`${oc.env:NAME}`) that the cluster's environment resolves.
"""
