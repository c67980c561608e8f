#!/usr/bin/env python3
"""Copies recorded runs into wandb, under the names that the authors' scripts give theirs.

    python scripts/to_wandb.py results                    # every experiment, offline, into ./wandb
    python scripts/to_wandb.py results/fig2 --project landscape --online

Offline runs are uploaded later by `wandb sync wandb/offline-run-*`. Each run of ours becomes one of wandb:

- group: what runs share that differ in the seed only, written as `main.py`, `main_simclr.py` and `main_simsiam.py` write
  it. Runs of `landscape authors` carry the group in their summary; for others it is made of their settings.
- name: `trial-<i>`, where i = seed - 1, as the authors count.
- config: all settings (`spec.yaml`), with our experiment, run and label beside them.
- history: the rows of `metrics.csv`, at step = epoch, under the CSV's names; cells that were not measured are left out.
- summary: the final values of `summary.json`.

The id of a run is a hash of its place and settings, so a second upload of the same run replaces the first.

Needs `pip install wandb pyyaml`.
"""

import argparse
import csv
import hashlib
import json
import pathlib
import sys


def authors_group(spec):
    """The group that the authors' script for this family would name, from our settings."""
    data, views, model, loss, train = (spec[key] for key in ("data", "views", "model", "loss", "train"))
    family = model["family"]
    identity = data["dictionary"] == "identity"
    batch_norm = model["batch_norm"] not in ("none", "idle")
    normalized = loss.get("normalize", True)
    one_hot = data["latents"]["kind"] == "one_hot"
    # Their sparsity list has an entry for one-hot latents too, where it means nothing.
    sparsity = data["latents"].get("sparsity")
    closeness = model["init"].get("closeness")
    bias = model["bias"]["value"] if model["bias"]["kind"] == "constant" else "trained"

    name = spec["method"]
    norms = f"-cn-{train['normalize_encoder'] == 'columns'}-rn-{train['normalize_encoder'] == 'rows'}"
    sizes = f"-I{identity}-bn-{batch_norm}-norm-{normalized}-p{data['p']}-m{model['m']}-d{data['d']}"
    start = f"-c{closeness}-bias-{bias}"
    tail = f"-sp-{sparsity}-mask{views['masking_prob']}-lr-{train['lr']}-1h-{one_hot}"
    if family == "contrastive":
        return f"{name}{sizes}{tail}-temperature-{loss['temperature']}"
    return f"{name}{norms}{sizes}{start}{tail}"


def rows(path):
    """The epochs of a metrics.csv with what was measured then."""
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            epoch = int(float(row.pop("epoch")))
            yield epoch, {name: float(cell) for name, cell in row.items() if cell != ""}


def upload(folder, project, mode, wandb, yaml):
    spec = yaml.safe_load((folder / "spec.yaml").read_text())
    summary = json.loads((folder / "summary.json").read_text())
    # `landscape authors` names the group in the label; a label of ours never has this form.
    is_authors = folder.name.startswith("training_val_dict_")
    group = summary["label"] if is_authors else authors_group(spec)
    place = f"{summary['experiment']}/{summary['run']}"
    run = wandb.init(
        project=project,
        group=group,
        name=f"trial-{spec['seed'] - 1}",
        id=hashlib.sha256(place.encode()).hexdigest()[:16],
        tags=[summary["experiment"]],
        config={**spec, "experiment": summary["experiment"], "run": summary["run"], "label": summary["label"]},
        mode=mode,
        reinit=True,
    )
    for epoch, measured in rows(folder / "metrics.csv"):
        run.log(measured, step=epoch)
    run.summary.update(summary["final"])
    run.summary.update({key: summary[key] for key in ("epochs", "diverged_at", "wall_seconds", "engine", "device")})
    run.finish()
    return group


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path, help="folders of results, of experiments or of runs")
    parser.add_argument("--project", default="contrastive-landscape", help="wandb project [default: %(default)s]")
    parser.add_argument("--online", action="store_true", help="upload at once instead of writing ./wandb")
    arguments = parser.parse_args()
    try:
        import wandb
        import yaml
    except ImportError as error:
        sys.exit(f"error: {error}; pip install wandb pyyaml")

    found = sorted({path.parent for folder in arguments.folders for path in folder.rglob("summary.json")})
    # What is hidden is not finished.
    found = [folder for folder in found if not any(part.startswith(".") and part != ".." for part in folder.parts)]
    if not found:
        sys.exit(f"error: no recorded runs in {', '.join(map(str, arguments.folders))}")
    for number, folder in enumerate(found, 1):
        group = upload(folder, arguments.project, "online" if arguments.online else "offline", wandb, yaml)
        print(f"{number}/{len(found)} {folder}: {group}")


if __name__ == "__main__":
    main()
