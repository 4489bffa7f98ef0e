"""A cluster and students without hardware: synthetic learning curves on a virtual clock, behind the real attempt.

It lives among the tests: what it says of scale is true, what it says of recipes is made up.
"""
