"""The claims' job: announce the time, run the studies, decide, write the page; resumes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from whatworks.base.phrasing import format_duration
from whatworks.base.progress import Watcher
from whatworks.base.store import Store, write_atomic
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.known_facts import classify
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.open_engine import open_engine
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks_claims.claim import Claim
from whatworks_claims.decision_rule import decide
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import ClaimFinding, Evidence
from whatworks_claims.findings import Report
from whatworks_claims.forecast import forecast_studies
from whatworks_claims.outcome import Outcome
from whatworks_claims.page import as_data, render_page
from whatworks_claims.readable import note_unreadable
from whatworks_claims.registry import choose_claims, find_steps
from whatworks_claims.run_studies import Job, Request, share_cores


def measure(request: Request, watcher: Watcher) -> Report:
    """Measure the claims; what is already below ``request.out`` is taken from there.

    Raises:
        InputError: If a claim or the model does not exist; nothing was written then.
    """
    began = time.monotonic()
    claims = choose_claims(request.ids)
    share_cores(request.jobs)  # before the rehearsals: they are to work at the studies' pace
    engine, weights = open_engine(request.model)
    model = ModelFiles(base=weights.base, template=weights.template)
    examiner = Examiner(engine, load(MetricSpec(name="facts")), _open_store(request))
    start = Candidate(
        prompt=Prompt(instructions="Answer the question."),
        weights=weights,
        decoding=Decoding(max_tokens=16),
    )
    known = _make_classifier(examiner, start)
    desk = Desk(engine, model, known, weights.digest, request.data, request.quick)
    steps = find_steps(claims, request.quick, request.data)
    watcher.say(f"{len(claims)} claims in {len(steps)} studies on {request.model}")
    forecast = forecast_studies(request, desk, steps, examiner, start, watcher)
    announced = sum(forecast.values()) / max(1, request.jobs)
    watcher.say(f"expected: {format_duration(announced)}; results in {request.out}")
    job = Job(request, replace(desk, finished={}), forecast, watcher)
    outcomes = job.run(steps)
    engine.close()
    findings = tuple(find(claim, outcomes, job.failed, request.quick) for claim in claims)
    return Report(request, claims, findings, job.folders, announced, time.monotonic() - began)


def find(
    claim: Claim, outcomes: dict[str, Outcome], failed: dict[str, str], quick: bool = False
) -> ClaimFinding:
    """The finding of one claim, from its studies."""
    names = claim.reads(quick)
    for name in names:
        if name not in outcomes:
            cause = failed.get(name, "it was not run")
            return decide(claim.id, Evidence(missing=f"the study {name} has no results: {cause}"))
    there = (*names, *(name for name in claim.beside if name in outcomes))
    evidence = claim.find({name: outcomes[name] for name in there})
    return decide(claim.id, note_unreadable(evidence, {name: outcomes[name] for name in names}))


def _open_store(request: Request) -> Store:
    return Store(request.out / "store")


def _make_classifier(
    examiner: Examiner, start: Candidate
) -> Callable[[Sequence[Example]], dict[str, str]]:
    cache: dict[tuple[str, ...], dict[str, str]] = {}

    def known(facts: Sequence[Example]) -> dict[str, str]:
        which = tuple(fact.key for fact in facts)  # several studies ask for the same ones
        if which not in cache:
            cache[which] = dict(classify(examiner.ask, start, facts, facts))
        return cache[which]

    return known


def save(report: Report) -> Path:
    """Write ``claims.json`` and ``claims.html``; returns the page's path."""

    write_atomic(report.request.out / "claims.json", json.dumps(as_data(report), indent=1))
    path = report.request.out / "claims.html"
    write_atomic(path, render_page(report))
    return path
