"""A worker that has its say at once, and ends."""


def preload() -> None:
    """Nothing."""


def main() -> int:
    print('{"progress": 1}', flush=True)
    return 0
