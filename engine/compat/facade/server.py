"""`server`: the host's HTTP server as plugins see it."""

import asyncio
import json
import logging
import os
import uuid

import aiohttp
from aiohttp import web

from engine.compat.live import live
from engine.compat.serving.events import BinaryEventTypes
from engine.compat.serving.prompt_server import PromptServer

# It is made when it is first read, and what replaces it is what later packs find.
live("server.PromptServer.instance")
