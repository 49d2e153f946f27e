"""Writes the fixtures of NablaFormatsTests with the reference libraries.

Run: pip install numpy torch safetensors tensorboard && python formats.py
"""

import json
import struct
from pathlib import Path

import torch
from safetensors.torch import save_file
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

folder = Path(__file__).parent.parent / "formats"

# One tensor of each kind of shape; names and types out of order, so that the sorting shows.
tensors = {
    "z.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
    "a.weight": torch.tensor([-1.5, 2.0], dtype=torch.float32),
    "half": torch.tensor([[1.0], [-0.5], [3.25]], dtype=torch.float16),
    "brain": torch.tensor([1.0, -2.0, 0.15625], dtype=torch.bfloat16),
    "tokens": torch.tensor([1, -1, 2**40], dtype=torch.int64),
    "bytes": torch.tensor([1, 2, 255], dtype=torch.uint8),
    "flag": torch.tensor(True),
    "empty": torch.zeros(0, 4, dtype=torch.float32),
    "naïve/名前": torch.tensor([7], dtype=torch.int32),
}
save_file(tensors, folder / "mixed.safetensors", metadata={"format": "pt"})

# Two shards with an index.
save_file({"first": torch.ones(2)}, folder / "model-00001-of-00002.safetensors", metadata={"format": "pt"})
save_file({"second": torch.zeros(3)}, folder / "model-00002-of-00002.safetensors", metadata={"format": "pt"})
index = {
    "metadata": {"total_size": 20},
    "weight_map": {
        "first": "model-00001-of-00002.safetensors",
        "second": "model-00002-of-00002.safetensors",
    },
}
(folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")

# An event file with one event of each kind, at fixed times.
png = b"not really a PNG"
events = [
    event_pb2.Event(wall_time=1000.5, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1000.5, step=3, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
    event_pb2.Event(
        wall_time=1000.5,
        step=300,
        summary=summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag="train/loss", simple_value=1.25)]),
    ),
    event_pb2.Event(
        wall_time=1000.5,
        step=2**40,
        summary=summary_pb2.Summary(
            value=[
                summary_pb2.Summary.Value(
                    tag="sample",
                    metadata=summary_pb2.SummaryMetadata(
                        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text")
                    ),
                    tensor=tensor_pb2.TensorProto(
                        dtype=types_pb2.DT_STRING,
                        tensor_shape=tensor_shape_pb2.TensorShapeProto(
                            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)]
                        ),
                        string_val=["so it goes ∇".encode()],
                    ),
                )
            ]
        ),
    ),
    event_pb2.Event(
        wall_time=1000.5,
        step=5,
        summary=summary_pb2.Summary(
            value=[
                summary_pb2.Summary.Value(
                    tag="attention",
                    image=summary_pb2.Summary.Image(height=4, width=6, colorspace=3, encoded_image_string=png),
                )
            ]
        ),
    ),
]
with open(folder / "events", "wb") as file:
    for event in events:
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        file.write(length + struct.pack("<I", masked_crc32c(length)))
        file.write(data + struct.pack("<I", masked_crc32c(data)))
