"""The settings of a study and of its variants."""

from __future__ import annotations

from dataclasses import asdict

import yaml

from ...evaluate import Results
from ...report import Section, settings_html
from ..by_input import FLUX
from ..context import Context

SHOWN = (
    "simulate",
    "preprocessing",
    "quality",
    "pretrain",
    "adapter",
    "sizes",
    "seeds",
    "split",
    "experiments",
    "explain",
)


def settings(results: Results, context: Context) -> list[Section]:
    """A table of settings for each variant; the folder ``settings`` has them in full, as study files."""
    tables = []
    for variant, study in context.studies.items():
        if variant in context.experiments:
            continue
        content = asdict(study)
        values = {
            name: content[name] for name in SHOWN if content[name] is not None and (name != "quality" or content[name])
        }
        if study.inputs != [FLUX]:
            values |= {"inputs": study.inputs, "encoders": content["encoders"]}
        values |= {f"strategy {name}": of_strategy for name, of_strategy in content["strategies"].items()}
        text = {name: yaml.safe_dump(value, default_flow_style=True, width=1000) for name, value in values.items()}
        text = {name: value.removesuffix("\n...\n").strip().strip("{}") for name, value in text.items()}
        tables.append(settings_html(text, f"Settings, variant {variant}"))
    return [Section("Settings", tables=tables)]
