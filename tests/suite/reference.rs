//! The cases recorded from the authors' own code (`tests/data/reference`).

use std::{collections::HashMap, fs::File, path::PathBuf};

use contrastive_landscape::{
    authors::{Config, Flags, Levels, Script, translate},
    spec::{
        RunSpec,
        layout::{Layout, StateDict},
    },
};
use ndarray::{Array2, ArrayD, Ix2, IxDyn};
use ndarray_npy::NpzReader;

pub struct Case {
    pub name: String,
    pub json: serde_json::Value,
    arrays: HashMap<String, ArrayD<f64>>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference")
}

/// All recorded cases, by name.
pub fn cases() -> Vec<Case> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            (path.extension()? == "npz").then(|| path.file_stem().unwrap().to_string_lossy().into_owned())
        })
        .collect();
    names.sort();
    assert!(names.len() >= 21);
    names.into_iter().map(|name| Case::read(&name)).collect()
}

impl Case {
    pub fn read(name: &str) -> Self {
        let json = serde_json::from_reader(File::open(folder().join(format!("{name}.json"))).unwrap()).unwrap();
        let mut npz = NpzReader::new(File::open(folder().join(format!("{name}.npz"))).unwrap()).unwrap();
        let mut arrays = HashMap::new();
        for entry in npz.names().unwrap() {
            let entry = entry.trim_end_matches(".npy").to_string();
            let value = npz
                .by_name::<ndarray::OwnedRepr<f64>, IxDyn>(&entry)
                .or_else(|_| npz.by_name::<ndarray::OwnedRepr<f32>, IxDyn>(&entry).map(|a| a.mapv(f64::from)))
                .or_else(|_| npz.by_name::<ndarray::OwnedRepr<i64>, IxDyn>(&entry).map(|a| a.mapv(|v| v as f64)))
                .unwrap_or_else(|error| panic!("{name}: {entry}: {error}"));
            arrays.insert(entry, value);
        }
        Self { name: name.into(), json, arrays }
    }

    pub fn has_views(&self) -> bool {
        self.arrays.contains_key("step0.x1")
    }

    pub fn array(&self, name: &str) -> ArrayD<f64> {
        self.arrays.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.name)).clone()
    }

    pub fn array2(&self, name: &str) -> Array2<f64> {
        self.array(name).into_dimensionality::<Ix2>().unwrap()
    }

    pub fn scalar(&self, name: &str) -> f64 {
        *self.array(name).first().unwrap()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// Whether online and target take turns.
    pub fn alternates(&self) -> bool {
        self.spec().train.turns == contrastive_landscape::spec::Turns::Alternating
    }

    pub fn spec(&self) -> RunSpec {
        let text = |key: &str| self.json[key].as_str().unwrap().to_string();
        let script = match text("script").as_str() {
            "main.py" => Script::Main,
            "main_simclr.py" => Script::MainSimclr,
            "main_simsiam.py" => Script::MainSimsiam,
            other => panic!("{other}"),
        };
        let flags: Flags = serde_json::from_value(self.json["args"].clone()).unwrap();
        let config: Config = serde_json::from_value(self.json["config"].clone()).unwrap();
        let levels = Levels {
            ws_noise: config.ws_noise_levels[0].clone(),
            noise: config.gaussian_noise_levels[0].clone(),
            sparsity: config.sparsity_levels[0].clone(),
            masking_prob: config.masking_probs[0].clone(),
        };
        let seed = self.json["seed"].as_u64().unwrap();
        translate(script, &text("model"), &flags, &config, &levels, seed).unwrap()
    }

    /// The recorded state `init` or `final`, as our layout lists it.
    pub fn state(&self, which: &str, spec: &RunSpec) -> StateDict {
        Layout::of(&spec.model, spec.data.p)
            .into_iter()
            .map(|parameter| {
                let value = self.array(&format!("{which}.{}", parameter.name));
                (parameter.name, value)
            })
            .collect()
    }

    /// Recorded gradients of a step by our names. Their modules also register the encoder's bias as `bo` and `bt`.
    pub fn gradients(&self, step: usize) -> Vec<(String, ArrayD<f64>)> {
        let prefix = format!("step{step}.grad.");
        self.arrays
            .iter()
            .filter_map(|(name, value)| {
                let name = match name.strip_prefix(&prefix)? {
                    "bo" => "Wo.bias",
                    "bt" => "Wt.bias",
                    name => name,
                };
                Some((name.to_string(), value.clone()))
            })
            .collect()
    }
}
