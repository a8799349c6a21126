"""The commands of the program `jarvis`, one module each, imported when the command is typed.

To add `jarvis data count`, write jarvis/app/commands/data_count.py:

    def data_count(
        folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of recordings.")],
        seed: Seed = None, as_json: Json = False, config: Config = None, assignments: Assignments = None,
    ) -> int:
        \"\"\"Count the ticks of recordings.\"\"\"                # then as many lines as its help needs
        from data_pipelines.recordings import find_recordings   # what is heavy is imported here
        ...
        return OK                                               # or FAILURE, PARTIAL

and one line in the table of jarvis/app/cli.py, with the first sentence of that docstring:

    "data": ({"count": ("data_count", "Count the ticks of recordings."), ...}, "Look at recordings and datasets."),

The four shared options and the exit codes are in options.py. Settings that are mappings, or that no option holds, are
taken with `@takes_settings(...)` and `settings_of(ctx)`. Errors that a user can cause are JarvisErrors that are also
ValueErrors: they become one line and exit code 2.
"""
