"""Responses and log lines of failed requests: one line each, a traceback only for our own bugs."""

from __future__ import annotations

import logging
import uuid

from aiohttp import web
from aiohttp.http import HttpProcessingError

from engine.atomic import refusal
from engine.errors import CalotypeError, DiskError, StoreError
from engine.server.answers import Handler, RefusalError, answer

_LOGGER = logging.getLogger(__name__)


@web.middleware
async def answer_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A response to every error; an unexpected one is logged and its log number returned."""
    try:
        return await handler(request)
    except RefusalError as refused:
        return answer(refused.body, status=refused.status)
    except StoreError as error:
        _LOGGER.warning("the store refused: %s", error)
        return answer({"error": "the disk or the database refused; nothing was kept"}, status=503)
    except DiskError as error:
        return _disk_refused(request, error)
    except CalotypeError as error:
        return answer({"error": str(error)}, status=400)
    except web.HTTPException as error:
        return answer({"error": error.reason}, status=error.status)
    except (HttpProcessingError, web.RequestPayloadError):
        response = answer({"error": "the body is not what its headers say"}, status=400)
        response.force_close()  # the start of the next request is unknown
        return response
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            raise
        _LOGGER.debug(
            "a client went away in the middle of %s %s", request.method, request.rel_url.raw_path
        )
        return web.Response(status=400)  # the client is gone
    except Exception as error:
        if isinstance(error, OSError):
            refused = refusal("a file", error)
            if isinstance(refused, DiskError):
                return _disk_refused(request, refused)
        number = uuid.uuid4().hex[:8]
        _LOGGER.exception("error %s in %s %s", number, request.method, request.rel_url.raw_path)
        return answer(
            {"error": f"the server failed; its log says why (error {number})"}, status=500
        )


def _disk_refused(request: web.Request, error: DiskError) -> web.Response:
    """507 where the disk is full, 503 where it refuses for another reason."""
    _LOGGER.warning("%s %s: %s", request.method, request.rel_url.raw_path, error)
    return answer({"error": str(error)}, status=507 if error.full else 503)
