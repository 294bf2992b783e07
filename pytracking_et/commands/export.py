"""`ettrack export`: write ONNX or OpenVINO graphs of a tracker."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--format", choices=("onnx", "openvino"), default="onnx")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    parser.add_argument(
        "--network", default="et_tracker", help="configuration (default: %(default)s)"
    )
    parser.add_argument("--checkpoint", help="weight file (default: the one a tracker would use)")
    parser.add_argument("--precision", default="f32", help="f32 (default) or int8")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FOLDER",
        help="tracks to measure int8 ranges on (annotations.csv: track,frame,x,y,w,h); without, "
        "those of the shipped weights or measured before are used",
    )


def run(args: argparse.Namespace) -> int:
    """Write, check, say what was written."""
    from ..engines.export import export

    metadata, difference = export(
        args.format, args.output, args.network, args.checkpoint, args.precision, args.calibration
    )
    for name in metadata.files:
        size = (args.output / name).stat().st_size
        print(f"  {name}  {size / 1e6:.1f} MB")
    print(
        f"parity with the plain network: score {difference['score']:.1e}, distances "
        f"{difference['distances']:.1e} px\nwritten to {args.output} (metadata.json tells how to "
        "run it)"
    )
    return 0
