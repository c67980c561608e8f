//! `--log tensorboard`: what TensorBoard's own reader finds in the event files is what `metrics.csv` holds.
//!
//! Needs a Python with the tensorboard package: `LANDSCAPE_PYTHON`, or `.venv/bin/python`. Skipped without one.

use std::{path::PathBuf, process::Command};

use contrastive_landscape::record::Metrics;
use serde_json::Value;

use crate::workbench::Workbench;

const TINY: &str = tiny!(
    6,
    "  metrics: { detail_every: 2 }
seeds: 1..2
"
);

const READER: &str = r#"
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0}).Reload()
tags = events.Tags()
scalars = {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in tags["scalars"]}
texts = {tag: events.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in tags["tensors"]}
json.dump({"scalars": scalars, "texts": texts}, sys.stdout)
"#;

fn python() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let python = std::env::var_os("LANDSCAPE_PYTHON").map_or_else(own, PathBuf::from);
    let found = Command::new(&python).args(["-c", "import tensorboard"]).output();
    found.is_ok_and(|output| output.status.success()).then_some(python)
}

#[test]
fn tensorboard_reads_what_the_csv_holds() {
    let Some(python) = python() else {
        eprintln!("skipped: no Python with the tensorboard package; name one in LANDSCAPE_PYTHON");
        return;
    };
    let workbench = Workbench::new(TINY);
    let log = ["--log", "tensorboard", "--log-dir", "live"];
    workbench.landscape(&[&["run", "tiny.yaml"][..], &log].concat()).success();
    // Once more: the curves of the second training replace the first's.
    workbench.landscape(&[&["run", "tiny.yaml", "--force"][..], &log].concat()).success();
    for run in workbench.runs() {
        let folder = workbench.path("live/tiny").join(run.file_name().unwrap());
        let output = Command::new(&python).args(["-c", READER]).arg(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read: Value = serde_json::from_slice(&output.stdout).unwrap();
        let metrics = Metrics::read(&run.join("metrics.csv")).unwrap();
        let epochs = metrics.column("epoch").unwrap();
        let mut curves = 0;
        for (tag, points) in read["scalars"].as_object().unwrap() {
            let column = metrics.column(tag.rsplit('/').next().unwrap()).unwrap();
            let measured = epochs.iter().zip(column).filter(|(_, value)| !value.is_nan());
            let expected: Vec<Value> =
                measured.map(|(epoch, value)| serde_json::json!([*epoch as u64, f64::from(*value as f32)])).collect();
            assert_eq!(points.as_array().unwrap(), &expected, "{tag}");
            curves += 1;
        }
        assert!(curves >= 15, "{curves} curves");
        assert!(read["texts"]["settings"].as_str().unwrap().contains("batch_size: 16"));
    }
}
