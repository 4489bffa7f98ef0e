"""What AWS says, with the credentials that boto3 finds: who we are, an instance type, its quota and its prices.

Nothing is created. Every call has short timeouts.
"""
