"""The loader of pipelines in diffusers' folders."""

from __future__ import annotations

from typing import Annotated

from engine.files import file_identity
from engine.folder_kinds import DIFFUSERS_FOLDERS
from engine.inference.load import remark
from engine.inference.pipeline_folders import load_pipeline, pipeline_files
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice
from nodes.sockets import Clip, Model, Vae


@node("DiffusersLoader", category="advanced/loaders/deprecated", display="DiffusersLoader")
def load_diffusers_folder(
    model_path: Annotated[str, FileChoice(DIFFUSERS_FOLDERS)], ctx: Context
) -> tuple[Model, Clip, Vae]:
    """Load the model, text encoders and autoencoder of a folder with a model_index.json.

    It is as diffusers downloads and saves it. What the network predicts, noise or v, is read from
    `scheduler/scheduler_config.json`.
    """
    model, clip, vae = load_pipeline(ctx.files.find(DIFFUSERS_FOLDERS, model_path).parent)
    if said := remark(model):
        ctx.show(text=[said])
    return model, clip, vae


@load_diffusers_folder.fingerprint
def _(model_path: str | None, ctx: Context) -> object:
    if not model_path:
        return model_path
    index = ctx.files.find(DIFFUSERS_FOLDERS, model_path)
    return [file_identity(each) for each in pipeline_files(index.parent)]
