"""What a sweep would cost before it is started: its trials, the time each takes, and so hours, dates and prices.

Every number is a range. Where it comes from is said with it: the finished trials of the same sweep, a calibration on
this machine, or a guess.
"""
