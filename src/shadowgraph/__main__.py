"""The command line as `python -m shadowgraph`."""

from shadowgraph.cli.main import run

if __name__ == "__main__":
    run()
