"""A model that looks at pictures, from a folder, without torchvision.

Here live: loading model and processor, and how a picture and a text become one prompt.
Not here: log-likelihoods and replies (`vision`). This module imports torch and transformers.

The processor is put together from the folder's own files with the Pillow variant of its image processor; where the
library would demand a video processor it gets none, for no video is shown.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from shadowgraph.errors import CheckpointError, EnvironmentFault, printable

_START, _END = "<|vision_start|>", "<|vision_end|>"


def load(folder: Path) -> tuple[Any, Any]:
    """Load model (float32, evaluation mode) and processor from a local folder.

    Raises:
        CheckpointError: when the folder holds no model for pictures and text, or no processor.
        EnvironmentFault: when the processor needs a package that is missing.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError("no config.json", where=str(folder), hint="give the folder of a model")
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    kind: Any = transformers.AutoModelForImageTextToText
    try:
        module, report = kind.from_pretrained(
            str(folder), dtype=torch.float32, use_safetensors=True, output_loading_info=True, **local
        )
        processor = _processor(folder, module.config, local)
    except ImportError as error:
        message = printable(str(error).strip().splitlines()[0])
        raise EnvironmentFault(f"its processor cannot be loaded ({message})", where=str(folder)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        message = printable((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise CheckpointError(
            f"cannot be loaded as a model for pictures and text ({message})",
            where=str(folder),
            hint="give a folder with the model, its tokenizer and its preprocessor_config.json",
        ) from error
    if missing := sorted(report["missing_keys"]):
        named = f"{len(missing)} tensors are missing, first {printable(missing[0])!r}"
        raise CheckpointError(f"the model cannot be loaded ({named})", where=str(folder))
    for parameter in module.parameters():  # memory of torch's own alignment: the same last digit wherever the file lay
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token or processor.tokenizer.convert_ids_to_tokens(0)
    return module.eval(), processor


def _processor(folder: Path, config: Any, local: dict[str, Any]) -> Any:
    """The processor of the model's family with the parts that this folder and this machine have."""
    if type(config) not in PROCESSOR_MAPPING:
        raise ValueError(f"no processor is known for the family {config.model_type!r}")
    family: Any = PROCESSOR_MAPPING[type(config)]
    parts: dict[str, Any] = {
        "image_processor": transformers.AutoImageProcessor.from_pretrained(str(folder), backend="pil", **local),
        "tokenizer": transformers.AutoTokenizer.from_pretrained(str(folder), **local),
    }

    class Still(family):
        """The family's processor without the parts that pictures do not need."""

        @classmethod
        def get_attributes(cls) -> list[str]:
            return family.get_attributes()

        @classmethod
        def _get_arguments_from_pretrained(cls, *_: Any, **__: Any) -> list[Any]:
            return [parts.get(name) for name in family.get_attributes()]

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    return Still.from_pretrained(str(folder), **local)


def picture_mark(processor: Any) -> str:
    """What stands in a text where the picture is shown."""
    token = str(getattr(processor, "boi_token", None) or processor.image_token)
    words = processor.tokenizer.get_vocab()
    return f"{_START}{token}{_END}" if _START in words and _END in words else token


def told(processor: Any, context: str, *, picture: bool, chat: bool) -> str:
    """Word a prompt in which the picture is still a mark.

    Args:
        processor: from `load`.
        context: the words.
        picture: whether a picture is shown; without one the words stand alone.
        chat: use the model's chat template.

    Returns:
        The picture's mark, a line break and the context, or the same as one turn of the model's own chat.

    Raises:
        CheckpointError: when a chat is wanted and the model brings no template.
    """
    if not chat:
        return f"{picture_mark(processor)}\n{context}" if picture else context
    if not processor.chat_template:
        raise CheckpointError("no chat template", where="processor", hint="score it without chat")
    content = [*([{"type": "image"}] if picture else []), {"type": "text", "text": context}]
    turns = [{"role": "user", "content": content}]
    return str(processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
