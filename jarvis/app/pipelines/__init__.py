"""Pipelines: what `jarvis run` does, stage by stage. The loop is jarvis.app.improve.

quickstart.yaml  youtube.yaml  contractor.yaml    the pipelines that ship
plan.py          YAML -> stages with checked settings
stages.py        what a stage is, and the table of kinds
play.py  models.py  judging.py    the kinds: each calls what its command calls
contents.py      what files hold, as digests: by them a stage knows that nothing is to be done
looks.py         sample videos with what was pressed
page.py          the run page
"""
