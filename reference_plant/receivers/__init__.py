"""Strict platforms that judge what we send: the province's HJ 212 over TCP and the park's JSON over HTTPS.

Nothing here imports anything of ours, so that no fault of ours is shared by the judge.
"""
