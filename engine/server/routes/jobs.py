"""The same prompts as a list of jobs: short, filtered, sorted, by page."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from aiohttp import web

from engine.server.answers import answer, empty_answer, is_array, read_object, refusal, whole_number
from engine.server.services import SERVICES, Services
from engine.store.entries import UnreadableError
from engine.store.jobs import JobRow

STATES: Mapping[str, str] = MappingProxyType(
    {
        "pending": "queued",
        "in_progress": "running",
        "completed": "done",
        "failed": "failed",
        "cancelled": "stopped",
    }
)
"""What clients call the states of the store."""
_NAMES = MappingProxyType({state: name for name, state in STATES.items()})
_SORTS = ("created_at", "execution_duration")


async def get_jobs(request: web.Request) -> web.Response:
    """A page of jobs."""
    query = request.query
    wanted = [each.strip() for each in query.get("status", ",".join(STATES)).split(",") if each]
    if unknown := [each for each in wanted if each not in STATES]:
        known = ", ".join(STATES)
        raise refusal(400, f"status {unknown[0][:40]!r} is none of {known}")
    sort_by, order = query.get("sort_by", _SORTS[0]), query.get("sort_order", "desc")
    if sort_by not in _SORTS or order not in {"asc", "desc"}:
        raise refusal(400, f"sort_by is one of {', '.join(_SORTS)}; sort_order is asc or desc")
    limit, offset = whole_number(request, "limit"), whole_number(request, "offset", 0) or 0
    if limit is not None and limit <= 0:
        raise refusal(400, "limit should be a positive whole number")
    if offset < 0:
        raise refusal(400, "offset should not be negative")
    rows, total = await request.app[SERVICES].jobs.list(
        [STATES[each] for each in dict.fromkeys(wanted)],
        workflow=query.get("workflow_id"),
        sort_by=sort_by,
        descending=order == "desc",
        limit=limit,
        offset=offset,
    )
    page = {
        "offset": offset,
        "limit": limit,
        "total": total,
        "has_more": offset + len(rows) < total,
    }
    return answer({"jobs": [job_json(row) for row in rows], "pagination": page})


async def get_job(request: web.Request) -> web.Response:
    """One job with its prompt, and its outputs when it has ended."""
    services = request.app[SERVICES]
    row = await services.jobs.get(request.match_info["job_id"])
    if row is None:
        raise refusal(404, "Job not found")
    found = job_json(row)
    if row.ended is not None:
        outcome = await services.history.outcome(row.id)
        if outcome is not None:
            found["outputs"] = outcome.get("outputs", {})
            found["execution_status"] = outcome.get("status", {})
    # A damaged row has no workflow any more, but is still a job.
    with suppress(UnreadableError):
        entry = await services.queue.entry(row.id)
        if entry is not None:
            found["workflow"] = {"prompt": entry.prompt, "extra_data": entry.extra}
    return answer(found)


async def post_cancel(request: web.Request) -> web.Response:
    """Remove a job from the queue, or stop it."""
    services = request.app[SERVICES]
    job_id = request.match_info["job_id"]
    if await services.jobs.get(job_id) is None:
        raise refusal(404, "Job not found")
    await _cancel(services, [job_id])
    return empty_answer()


async def post_cancel_many(request: web.Request) -> web.Response:
    """The same for all of `job_ids`; those that are over or unknown are passed over."""
    asked = await read_object(request)
    given = asked.get("job_ids")
    if not is_array(given):
        raise refusal(400, "job_ids should be a list of ids")
    await _cancel(request.app[SERVICES], [each for each in given if isinstance(each, str)])
    return empty_answer()


async def _cancel(services: Services, ids: list[str]) -> None:
    # Nothing is awaited between the two: a prompt is either claimed already, or deleted.
    pending = [each for each in ids if not services.workers.interrupt(each)]
    await services.queue.delete(pending)
    services.workers.wake()
    await services.workers.send_status()


def job_json(row: JobRow) -> dict[str, Any]:
    """A job in the API's form; unknown values are left out."""
    summary: Mapping[str, Any] = row.summary
    found = {
        "id": row.id,
        "status": _NAMES[row.state],
        "priority": int(row.number) if float(row.number).is_integer() else row.number,
        "create_time": round(row.created * 1000),
        "execution_start_time": _milliseconds(row.began),
        "execution_end_time": _milliseconds(row.ended),
        "execution_error": summary.get("execution_error"),
        "outputs_count": summary.get("outputs_count"),
        "preview_output": summary.get("preview_output"),
        "workflow_id": row.workflow,
    }
    return {key: value for key, value in found.items() if value is not None}


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
