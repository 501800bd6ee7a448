"""The user's folders, as plugins know them; see `engine.compat.host.folders`."""

import os
from pathlib import Path

from engine.compat.host.folders import (
    CacheHelper,
    add_model_folder_path,
    base_directory,
    cached_filename_list_,
    filter_files_extensions,
    get_filename_list,
    get_filename_list_,
    get_folder_paths,
    get_full_path,
    get_full_path_or_raise,
    make_table,
    map_legacy,
    recursive_search,
    supported_pt_extensions,
)
from engine.compat.host.save_paths import (
    annotated_filepath,
    exists_annotated_filepath,
    extension_mimetypes_cache,
    filter_files_content_types,
    get_annotated_filepath,
    get_directory,
    get_directory_by_type,
    get_input_directory,
    get_input_subfolders,
    get_output_directory,
    get_public_user_directory,
    get_save_image_path,
    get_system_user_directory,
    get_temp_directory,
    get_user_directory,
    set_input_directory,
    set_output_directory,
    set_temp_directory,
    set_user_directory,
)
from engine.compat.host.state import host

base_path = base_directory()
# Plugins find the host's folders beside this file.
__file__ = str(Path(base_path, "folder_paths.py"))
models_dir = str(host().settings.models_directories[0])
folder_names_and_paths = make_table()
output_directory = str(host().settings.output_directory)
input_directory = str(host().settings.input_directory)
temp_directory = str(host().settings.temp_directory)
user_directory = str(host().settings.user_directory)
filename_list_cache: dict[str, tuple[list[str], dict[str, float], float]] = {}
cache_helper = CacheHelper()
