"""`python -m bench` is `onsale bench`."""

import typer

from cli.bench import bench_command

application = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
application.command()(bench_command)
application(prog_name="python -m bench")
