//! Command lines to check live: every model, and random combinations of flags and settings at small sizes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{
    authors::{CommandLine, Script, plan},
    random::{Draws, native::Key},
};

/// A command line, named.
#[derive(Clone, Debug)]
pub struct Combination {
    /// The model, and what sets it apart.
    pub name: String,
    /// The script to call.
    pub script: Script,
    /// Its command line, without `--logDir`.
    pub arguments: Vec<String>,
}

/// Every model that the published scripts can run, once, with its common flags; configurations go into `folder`.
///
/// # Errors
/// A file that cannot be written.
pub fn every_model(folder: &Path) -> Result<Vec<Combination>> {
    let cfg = write(folder, "every-model", &one_run([96, 6, 20, 6, 20]))?;
    Ok(runnable().map(|(script, model)| combination(script, model, &cfg, 32, model)).collect())
}

/// 300 epochs at the paper's size for one model of each kind that takes long.
///
/// # Errors
/// A file that cannot be written.
pub fn paper_sized(folder: &Path) -> Result<Vec<Combination>> {
    let cfg = write(folder, "paper-sized", &one_run([1000, 300, 50, 10, 50]))?;
    let models = runnable().filter(|(_, model)| ["simplified", "simplified-pred", "simsiam"].contains(model));
    Ok(models
        .map(|(script, model)| combination(script, model, &cfg, 512, &format!("{model}, n = 1000, p = 50")))
        .collect())
}

/// A few epochs of the paper's size, to be timed.
///
/// # Errors
/// A file that cannot be written.
pub fn timed(folder: &Path) -> Result<Vec<Combination>> {
    let cfg = write(folder, "timed", &one_run([1000, 5, 50, 10, 50]))?;
    let models = ["simplified", "simplified-pred", "simsiam", "simclr-orig"];
    let models = runnable().filter(|(_, model)| models.contains(model));
    Ok(models.map(|(script, model)| combination(script, model, &cfg, 512, model)).collect())
}

/// A configuration of one run: samples, epochs, p, d and m.
fn one_run([n, epochs, p, d, m]: [usize; 5]) -> String {
    format!(
        "nn: {n}\nnum_exp: 1\nNUM_EPOCHES: {epochs}\np: {p}\nd: {d}\nm: {m}\n\
         sparsity_levels: (0.3,)\nmasking_probs: (0.5,)\n"
    )
}

/// A model with the flags that their shell scripts give.
fn combination(script: Script, model: &str, cfg: &str, batch_size: usize, name: &str) -> Combination {
    let flags = format!("--use_bn True --normalize_repr True --batch_size {batch_size}");
    let mut arguments = ["--cfg", cfg, "--model", model].map(String::from).to_vec();
    arguments.extend(flags.split_whitespace().map(Into::into));
    Combination { name: name.into(), script, arguments }
}

/// `count` random combinations that both sides can run.
///
/// # Errors
/// A file that cannot be written.
pub fn sample(folder: &Path, count: usize, seed: u64) -> Result<Vec<Combination>> {
    let mut dice = Dice(Box::new(Key::from_seed(seed).stream()));
    let models: Vec<_> = runnable().collect();
    let mut combinations = Vec::new();
    while combinations.len() < count {
        let number = combinations.len() + 1;
        let (script, model) = models[dice.0.below(models.len())];
        let cfg = write(folder, &format!("sample-{number}"), &dice.config())?;
        let mut arguments = vec!["--cfg".to_string(), cfg, "--model".into(), model.into()];
        let flags = dice.flags();
        arguments.extend(flags.split_whitespace().map(Into::into));
        let arguments_with_folder = [&arguments[..], &["--logDir".into(), "x".into()]].concat();
        let line = CommandLine::parse(script, &arguments_with_folder)?;
        // What we refuse with a reason also stops their scripts.
        if plan(script, &line).is_ok() && !stops_there(&line) {
            combinations.push(Combination { name: format!("{number} {model}"), script, arguments });
        }
    }
    Ok(combinations)
}

fn runnable() -> impl Iterator<Item = (Script, &'static str)> {
    let models = |script: Script| script.models().iter().map(move |&model| (script, model));
    Script::ALL.into_iter().flat_map(models).filter(|(_, model)| *model != "simsiam-diag")
}

/// Settings that make sense, and so run here, but stop their script.
fn stops_there(line: &CommandLine) -> bool {
    let flags = &line.flags;
    // The loss is built for batches of single pairs.
    let pairs = flags.use_multimasking && line.model == "simclr-orig";
    // The average is taken of the target's trained bias, and there is none.
    let average = flags.ema_decay.is_some() && line.model == "simplified" && !flags.use_bias;
    pairs || average
}

fn write(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path: PathBuf = folder.join(format!("{name}.yaml"));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.display().to_string())
}

struct Dice(Box<dyn Draws>);

impl Dice {
    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.0.below(choices.len())]
    }

    fn config(&mut self) -> String {
        let d = 3 + self.0.below(6);
        let p = d + self.0.below(3) * 6;
        let m = if self.0.below(3) == 0 { p } else { d + self.0.below(12) };
        let mut text = format!("nn: {}\nnum_exp: 1\nNUM_EPOCHES: 4\np: {p}\nd: {d}\nm: {m}\n", 40 + self.0.below(60));
        text += &format!("ws_noise_levels: {}\n", self.one_of(&["(None,)", "(None,)", "(1.25,)", "(2,)", "(0,)"]));
        text += &format!("gaussian_noise_levels: {}\n", self.one_of(&["(None,)", "(0,)", "(2,)", "(0.5,)"]));
        text += &format!("sparsity_levels: {}\n", self.one_of(&["(0.1,)", "(0.3,)", "(0.6,)"]));
        text += &format!("masking_probs: {}\n", self.one_of(&["(0.25,)", "(0.5,)", "(0.75,)"]));
        text += &format!("one_hot_latent: {}\n", self.one_of(&["False", "False", "True"]));
        text += &format!("has_online_ReLU: {}\n", self.one_of(&["True", "True", "True", "False"]));
        let placements = ["None", "None", "encoder_pre_activation", "encoder_post_activation", "encoder_out"];
        text + &format!("batch_norm: {}\n", self.one_of(&placements))
    }

    fn flags(&mut self) -> String {
        const BOOLEANS: [&str; 9] = [
            "normalize_repr",
            "use_masking",
            "use_bn",
            "use_pred",
            "use_pred_bias",
            "m_identity",
            "use_alt_norm",
            "use_row_norm",
            "use_bias",
        ];
        let mut flags = vec![format!("--batch_size {}", 8 + self.0.below(33))];
        for name in BOOLEANS {
            if self.0.below(2) == 0 {
                let value = self.one_of(&["True", "true", "1", "False", "n"]);
                flags.push(format!("--{name} {value}"));
            }
        }
        for switch in ["--const_bias", "--clip_bias"] {
            if self.0.below(3) == 0 {
                flags.push(switch.into());
            }
        }
        if self.0.below(6) == 0 {
            flags.push(format!("--use_multimasking True --n_aug {}", 1 + self.0.below(3)));
        }
        if self.0.below(6) == 0 {
            flags.push(format!("--ema_decay {}", self.one_of(&["0", "0.5", "0.99"])));
        }
        flags.push(format!("--lr {}", self.one_of(&["0.005", "0.025", "0.1"])));
        flags.push(format!("--temperature {}", self.one_of(&["0.05", "0.2", "1"])));
        flags.push(format!("--bias_val {}", self.one_of(&["0.005", "0.1", "-0.05"])));
        flags.join(" ")
    }
}
