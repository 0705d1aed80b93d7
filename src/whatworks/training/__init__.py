"""Training: frozen jobs, rows made by the one renderer, and a child process that runs TRL.

``rows`` makes the rows, ``train`` runs a job on them in a child process. Only ``trainers``, which
lives in that child, imports trl.
"""
