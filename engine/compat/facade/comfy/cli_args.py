"""The flags of this process. Plugins change some, such as `args.preview_method`."""

import argparse
import os

from engine.compat.host.arguments import (
    LatentPreviewMethod,
    PerformanceFeature,
    enables_dynamic_vram,
    make_arguments,
)

parser = argparse.ArgumentParser()
args = make_arguments()
